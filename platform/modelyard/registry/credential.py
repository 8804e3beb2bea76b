"""The bearer token that a client shows: from the settings, or from a file that somebody else keeps fresh."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import UsageError
from modelyard.files import file_stamp


class Credential:
    """A token, or none. It is shown to its service alone, and nowhere else: not in an error, not in a log.

    Args:
        token: The token.
        file: A file that holds it instead. It is read at each use that finds it changed: clusters renew tokens.
    """

    def __init__(self, token: str = "", file: str = "") -> None:
        self._token = _checked(token, "MODELYARD_TOKEN") if token else ""
        self._file = Path(file) if file and not token else None
        self._read: tuple[tuple[int, ...] | None, str] = (None, "")

    @property
    def token(self) -> str:
        """The token as it is now; empty where there is none.

        Raises:
            UsageError: The file can't be read, or holds no token.
        """
        return self._token if self._file is None else self._from_file(self._file)

    def headers(self) -> dict[str, str]:
        """What a request says of who sends it.

        Raises:
            UsageError: The file can't be read, or holds no token.
        """
        token = self.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _from_file(self, file: Path) -> str:
        try:
            stamp = file_stamp(file)
            if stamp != self._read[0]:
                self._read = (stamp, _checked(file.read_text(encoding="utf-8"), f"`{file}`"))
        except (OSError, UnicodeDecodeError) as error:
            reason = f"the token can't be read from `{file}`: {getattr(error, 'strerror', None) or 'it is no text'}"
            raise UsageError(reason, "look at MODELYARD_TOKEN_FILE") from None
        return self._read[1]

    def __repr__(self) -> str:
        return "Credential(…)" if self._token or self._file else "Credential()"


def _checked(token: str, place: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        reason = f"what {place} holds is no token"
        raise UsageError(reason, "a token is one word of letters, digits and signs")
    return token
