-- Sends the requests of a file, in turn, and prints what came back as JSON. bench/wrk.py writes the file.

local requests, position = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for head in file:read("*a"):gmatch("(.-\r\n\r\n)") do
    requests[#requests + 1] = head
  end
  file:close()
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d}\n', summary.requests,
    summary.duration, summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
