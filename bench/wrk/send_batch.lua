-- One SendMessageBatch of ten bodies of 1 KiB a request, JSON protocol. QUEUE names the queue.
local body, entries = string.rep("m", 1024), {}
for n = 0, 9 do
  entries[#entries + 1] = string.format('{"Id":"%d","MessageBody":"%s"}', n, body)
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
wrk.headers["X-Amz-Target"] = "AmazonSQS.SendMessageBatch"
wrk.body = string.format('{"QueueUrl":"%s","Entries":[%s]}', os.getenv("QUEUE"), table.concat(entries, ","))
