"""HTTP below the application: cheroot's requests, answers and TLS, with the drive's own connections and threads.

- `server`: listens, and stops in time.
- `waiting`: the thread on which connections wait for their next request.
- `workers`: the threads that answer.
- `exchange`: a request, its answer, and the connection that they are on.
- `framing`, `streams`: bodies of requests, and both directions of a connection.
- `connections`, `tls`: what is different from cheroot's own connections, and certificates.
"""
