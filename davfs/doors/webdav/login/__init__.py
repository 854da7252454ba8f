"""Who comes in, and for what: Orthanc decides.

- `authentication`: the middleware; `settings`: its settings.
- `digest`, `nonces`: logging in by Digest.
- `permissions`: what a request needs, and what its user has.
- `throttle`: tells who has to wait after wrong passwords; `address`: whose they are.
"""
