"""What stands around every HTTP service of Modelyard, in plain ASGI.

`auth.routes` alone knows the web framework, and `server` alone the server that the services run in.

One more thing that all services do alike is one more file beside these; what one service does stays with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
