-- One SendMessage with a body of 1 KiB a request, JSON protocol. QUEUE names the queue.
local body = string.rep("m", 1024)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
wrk.headers["X-Amz-Target"] = "AmazonSQS.SendMessage"
wrk.body = string.format('{"QueueUrl":"%s","MessageBody":"%s"}', os.getenv("QUEUE"), body)
