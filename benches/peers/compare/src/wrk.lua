-- Exact totals; wrk itself rounds them. No function is called for a request or an answer.
done = function(summary, latency)
   local errors = summary.errors
   io.write(string.format("summary %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.bytes,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
