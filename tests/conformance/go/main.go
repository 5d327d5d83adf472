// The AWS SDK for Go v2: every action, error classes, MD5 checks, FIFO, dead letters. One line for each case: "ok NAME" or
// "not ok NAME: WHY". FERRY_URL is a recording proxy in front of the server.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

var (
	ctx    = context.Background()
	client *sqs.Client
	serial int
)

type failure string

func check(condition bool, format string, values ...any) {
	if !condition {
		panic(failure(fmt.Sprintf(format, values...)))
	}
}

// must unwraps an answer; a case ends with the first error that it did not expect.
func must[T any](value T, err error) T {
	check(err == nil, "%v", err)
	return value
}

// refused checks the Go type of an error and its code.
func refused[T error](err error, code string) {
	var typed T
	check(errors.As(err, &typed), "another type of error: %T %v", err, err)
	coded(err, code)
}

func coded(err error, code string) {
	var api smithy.APIError
	check(errors.As(err, &api), "no error of the API: %v", err)
	check(api.ErrorCode() == code, "code %s, not %s: %v", api.ErrorCode(), code, err)
	check(api.ErrorFault() == smithy.FaultClient || api.ErrorFault() == smithy.FaultUnknown, "fault %v", api.ErrorFault())
}

func name(suffix string) string {
	serial++
	return fmt.Sprintf("go-%d-%d%s", os.Getpid(), serial, suffix)
}

func create(suffix string, attributes map[string]string) *string {
	return must(client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name(suffix)), Attributes: attributes})).QueueUrl
}

func fifo() *string {
	return create(".fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
}

func attribute(queue *string, which types.QueueAttributeName) string {
	return must(client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: queue, AttributeNames: []types.QueueAttributeName{which}})).Attributes[string(which)]
}

func send(queue *string, body string) *sqs.SendMessageOutput {
	return must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &body}))
}

func receive(queue *string, most int32, wait int32, visibility int32) []types.Message {
	return must(client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: most, WaitTimeSeconds: wait,
		VisibilityTimeout: visibility, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})).Messages
}

func remove(queue *string, message types.Message) {
	must(client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: message.ReceiptHandle}))
}

func bodies(messages []types.Message) string {
	found := []string{}
	for _, message := range messages {
		found = append(found, *message.Body)
	}
	return strings.Join(found, " ")
}

var cases = []struct {
	name string
	run  func()
}{
	{"queues", func() {
		queueName := name("")
		input := &sqs.CreateQueueInput{QueueName: &queueName, Attributes: map[string]string{"VisibilityTimeout": "45"}, Tags: map[string]string{"team": "blue"}}
		queue := must(client.CreateQueue(ctx, input)).QueueUrl
		check(*must(client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queueName})).QueueUrl == *queue, "another URL")
		input.Attributes["VisibilityTimeout"] = "46"
		_, err := client.CreateQueue(ctx, input)
		refused[*types.QueueNameExists](err, "QueueAlreadyExists")
		must(client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: queue, Attributes: map[string]string{"DelaySeconds": "3"}}))
		check(attribute(queue, types.QueueAttributeNameDelaySeconds) == "3", "the delay was not set")
		_, err = client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: queue, Attributes: map[string]string{"DelaySeconds": "901"}})
		refused[*types.InvalidAttributeValue](err, "InvalidAttributeValue")
		_, err = client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue, AttributeNames: []types.QueueAttributeName{"Colour"}})
		refused[*types.InvalidAttributeName](err, "InvalidAttributeName")
		must(client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: queue}))
		must(client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: queue}))
		_, err = client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: queue})
		refused[*types.QueueDoesNotExist](err, "AWS.SimpleQueueService.NonExistentQueue")
	}},
	{"pages", func() {
		prefix := name("")
		for n := range 5 {
			must(client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprintf("%s-p%d", prefix, n))}))
		}
		pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{QueueNamePrefix: aws.String(prefix + "-"), MaxResults: aws.Int32(2)})
		found, count := []string{}, 0
		for pages.HasMorePages() {
			found = append(found, must(pages.NextPage(ctx)).QueueUrls...)
			count++
		}
		check(len(found) == 5 && count == 3, "%d queues in %d pages", len(found), count)
	}},
	{"messages", func() {
		queue := create("", nil)
		attributes := map[string]types.MessageAttributeValue{
			"blob":  {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2, 3}},
			"color": {DataType: aws.String("String"), StringValue: aws.String("blue")},
			"count": {DataType: aws.String("Number"), StringValue: aws.String("3")},
		}
		body := "é€😀 <&> \" \\ \r\n\t"
		sent := must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &body, MessageAttributes: attributes}))
		check(*sent.MD5OfMessageAttributes == "d838729972a4b70e2d2acd9d59ac847c", "MD5 of attributes %s", *sent.MD5OfMessageAttributes)
		messages := receive(queue, 1, 5, 30)
		check(len(messages) == 1 && *messages[0].Body == body && *messages[0].MessageId == *sent.MessageId, "another message: %v", messages)
		check(bytes.Equal(messages[0].MessageAttributes["blob"].BinaryValue, []byte{1, 2, 3}), "another blob")
		check(*messages[0].MD5OfMessageAttributes == *sent.MD5OfMessageAttributes, "another MD5")
		check(messages[0].Attributes["ApproximateReceiveCount"] == "1", "receive count")
		must(client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: queue, ReceiptHandle: messages[0].ReceiptHandle}))
		again := receive(queue, 1, 5, 30)
		check(len(again) == 1 && again[0].Attributes["ApproximateReceiveCount"] == "2", "not visible again")
		remove(queue, again[0])
		check(len(receive(queue, 1, 0, 30)) == 0, "not deleted")
		large := strings.Repeat("x", 1<<20)
		send(queue, large)
		check(*receive(queue, 1, 5, 30)[0].Body == large, "a message of 1 MiB")
	}},
	{"message errors", func() {
		queue := create("", nil)
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("\x01")})
		refused[*types.InvalidMessageContents](err, "InvalidMessageContents")
		_, err = client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 11})
		coded(err, "InvalidParameterValue")
		_, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: aws.String("h")})
		refused[*types.ReceiptHandleIsInvalid](err, "ReceiptHandleIsInvalid")
		_, err = client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: queue, ReceiptHandle: aws.String("h")})
		refused[*types.ReceiptHandleIsInvalid](err, "ReceiptHandleIsInvalid")
		_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(*queue + "x"), MessageBody: aws.String("x")})
		refused[*types.QueueDoesNotExist](err, "AWS.SimpleQueueService.NonExistentQueue")
	}},
	{"batches", func() {
		queue := create("", nil)
		entries := []types.SendMessageBatchRequestEntry{}
		for n := range 9 {
			entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(n)), MessageBody: aws.String(fmt.Sprint("b", n))})
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String("bad"), MessageBody: aws.String("\x01")})
		sent := must(client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: queue, Entries: entries}))
		check(len(sent.Successful) == 9 && len(sent.Failed) == 1, "%d sent, %d failed", len(sent.Successful), len(sent.Failed))
		check(*sent.Failed[0].Code == "InvalidMessageContents" && sent.Failed[0].SenderFault, "failed with %s", *sent.Failed[0].Code)
		messages := receive(queue, 10, 5, 30)
		check(len(messages) == 9, "%d received", len(messages))
		visibility, deletes := []types.ChangeMessageVisibilityBatchRequestEntry{}, []types.DeleteMessageBatchRequestEntry{}
		for n, message := range messages {
			visibility = append(visibility, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(fmt.Sprint(n)), ReceiptHandle: message.ReceiptHandle,
				VisibilityTimeout: 60})
			deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(n)), ReceiptHandle: message.ReceiptHandle})
		}
		changed := must(client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: queue, Entries: visibility}))
		check(len(changed.Successful) == 9, "%d changed", len(changed.Successful))
		deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: aws.String("g"), ReceiptHandle: aws.String("garbage")})
		deleted := must(client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: queue, Entries: deletes}))
		check(len(deleted.Successful) == 9 && *deleted.Failed[0].Code == "ReceiptHandleIsInvalid", "%v", deleted.Failed)
		_, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: queue, Entries: []types.SendMessageBatchRequestEntry{}})
		refused[*types.EmptyBatchRequest](err, "AWS.SimpleQueueService.EmptyBatchRequest")
		_, err = client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: queue, Entries: append(entries[:1:1], entries[0])})
		refused[*types.BatchEntryIdsNotDistinct](err, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
		_, err = client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: queue, Entries: append(entries[:10:10], entries...)})
		refused[*types.TooManyEntriesInBatchRequest](err, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
	}},
	{"a long poll", func() {
		queue := create("", nil)
		answer := make(chan []types.Message, 1)
		go func() { answer <- receive(queue, 1, 20, 30) }()
		time.Sleep(200 * time.Millisecond)
		begun := time.Now()
		send(queue, "wake")
		select {
		case messages := <-answer:
			check(bodies(messages) == "wake" && time.Since(begun) < 5*time.Second, "after %v: %v", time.Since(begun), bodies(messages))
		case <-time.After(25 * time.Second):
			check(false, "no answer")
		}
	}},
	{"fifo", func() {
		queue := fifo()
		post := func(body, group string) *sqs.SendMessageOutput {
			return must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &body, MessageGroupId: &group}))
		}
		first := post("m1", "g")
		post("m2", "g")
		post("n1", "h")
		again := post("m1", "g")
		check(*again.MessageId == *first.MessageId && *again.SequenceNumber == *first.SequenceNumber, "a duplicate has another id")
		messages := receive(queue, 1, 5, 30)
		check(bodies(messages) == "m1" && messages[0].Attributes["SequenceNumber"] == *first.SequenceNumber, "%v", bodies(messages))
		others := receive(queue, 10, 5, 30)
		check(bodies(others) == "n1", "a group in flight gave %v", bodies(others))
		remove(queue, messages[0])
		check(bodies(receive(queue, 10, 5, 30)) == "m2", "the group does not go on")
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("x")})
		coded(err, "MissingParameter")
	}},
	{"dead letters and move tasks", func() {
		target := create("", nil)
		arn := attribute(target, types.QueueAttributeNameQueueArn)
		source := create("", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":"1"}`})
		send(source, "worn")
		receive(source, 1, 5, 1)
		check(len(receive(source, 1, 2, 1)) == 0, "given once too often")
		listed := must(client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: target})).QueueUrls
		check(len(listed) == 1 && listed[0] == *source, "%v", listed)
		messages := receive(target, 1, 5, 1)
		check(bodies(messages) == "worn" && messages[0].Attributes["ApproximateReceiveCount"] == "2", "%v", messages)
		check(strings.HasSuffix(*source, messages[0].Attributes["DeadLetterQueueSourceArn"][strings.LastIndex(arn, ":")+1:]), "no source")
		must(client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: target, ReceiptHandle: messages[0].ReceiptHandle}))
		task := must(client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn}))
		check(bodies(receive(source, 1, 10, 30)) == "worn", "not moved back")
		results := must(client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn})).Results
		check(len(results) == 1 && results[0].ApproximateNumberOfMessagesMoved == 1, "%v", results)
		_, err := client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arn + "x")})
		refused[*types.ResourceNotFoundException](err, "ResourceNotFoundException")
		for range 100 {
			results = must(client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn})).Results
			if *results[0].Status == "COMPLETED" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		check(*results[0].Status == "COMPLETED", "status %s", *results[0].Status)
		_, err = client.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle})
		refused[*types.ResourceNotFoundException](err, "ResourceNotFoundException")
	}},
	{"tags and permissions", func() {
		queue := create("", nil)
		must(client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: queue, Tags: map[string]string{"a": "1", "b": ""}}))
		must(client.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: queue, TagKeys: []string{"a"}}))
		tags := must(client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: queue})).Tags
		value, there := tags["b"]
		check(len(tags) == 1 && there && value == "", "%v", tags)
		must(client.AddPermission(ctx, &sqs.AddPermissionInput{QueueUrl: queue, Label: aws.String("l"), AWSAccountIds: []string{"111122223333"},
			Actions: []string{"SendMessage"}}))
		check(strings.Contains(attribute(queue, types.QueueAttributeNamePolicy), "SQS:SendMessage"), "no policy")
		must(client.RemovePermission(ctx, &sqs.RemovePermissionInput{QueueUrl: queue, Label: aws.String("l")}))
		check(attribute(queue, types.QueueAttributeNamePolicy) == "", "a policy is left")
	}},
}

func run(name string, body func()) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Printf("not ok %s: %v\n", name, reason)
		}
	}()
	body()
	fmt.Printf("ok %s\n", name)
}

func main() {
	client = sqs.New(sqs.Options{BaseEndpoint: aws.String(os.Getenv("FERRY_URL")), Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("FERRY_ACCESS_KEY"), os.Getenv("FERRY_SECRET_KEY"), "")})
	for _, one := range cases {
		run(one.name, one.run)
	}
}
