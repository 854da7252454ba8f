"""The HTTP server of door 2, below WebDAV: cheroot's listening socket; connections, requests and threads are our own.

The way of one connection, from accept to close:

1. `ConnectionManager`, on one thread with a selector, accepts it. It holds every connection that waits for its client.
2. When the head of a request has arrived, the connection goes into the queue of the `WorkerPool`. `FairQueue` decides
   whose request is next.
3. A worker parses the head (`request_head`), collects a small request body (`request_body`), calls the WSGI application
   and sends its response (`request`, `response_head`).
4. Where the application or the response would have to wait for the client, the worker returns the connection to the
   `ConnectionManager` with a `ConnectionState` that names what it waits for, and the worker takes the next one.
   When the client has sent or read more, step 2 follows again.
5. After the response it waits for the next request (keep-alive), or the rest of a refused body is discarded.
6. It is closed at the client's wish, after too long a wait, or evicted where there are too many connections or
   transfers (`WeightedGroups`). After an error the client is given time to read the response first.
"""
