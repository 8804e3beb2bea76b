"""Jobs on Kubernetes: the operator's profile, manifests and statuses as plain data, and the calls to the API server.

`manifests.py` and `status.py` are pure: they turn jobs into what Kubernetes is told, and what it tells into jobs. The
SDK is known to `api.py` alone.
"""
