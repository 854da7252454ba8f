"""Authentication and permissions at door 2; Orthanc decides about both.

- `authentication`: the middleware; `settings`: its settings and services.
- `digest`, `nonces`: the login by Digest.
- `permissions`: the permissions that a request requires.
- `throttle`: throttles repeated wrong passwords, by name and by `client_address`.
"""
