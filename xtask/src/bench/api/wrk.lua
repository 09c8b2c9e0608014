-- Asks for the paths of a file in no order, and tells what came of it as one line of JSON.
-- Arguments: method, file of paths, body.

local method, body
local paths = {}

function init(args)
  method, body = args[1], args[3]
  for path in io.lines(args[2]) do
    paths[#paths + 1] = path
  end
  -- The same order in each run.
  math.randomseed(1)
end

function request()
  local headers = {}
  if body then
    headers["Content-Type"] = "application/json"
  end
  return wrk.format(method, paths[math.random(#paths)], headers, body)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.2f,"p95_ms":%.2f,"p99_ms":%.2f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
