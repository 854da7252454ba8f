"""HTTP below the application: cheroot's requests, answers and TLS, with the drive's own connections and threads.

- `server`: listens, and stops in time.
- `waiting`: the thread on which connections wait for their clients; `groups`: which of them has to go.
- `workers`: the threads that answer; `fairness`: whose turn it is.
- `exchange`: a request, its answer, and the connection that they are on.
- `head`, `framing`, `streams`: heads and bodies of requests, and both directions of a connection.
- `connections`, `tls`: what is different from cheroot's own connections, and certificates.
"""
