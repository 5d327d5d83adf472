// A consumer as it is usually written with the AWS SDK for Go v2: N goroutines, each receives ten, handles them side by side and
// deletes them with one call. QUEUE_URL, HANDLER (none, http, program), ENDPOINT_URL, RECEIVERS.
package main

import (
	"context"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var endpoint = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}

func post(body string) error {
	answer, err := endpoint.Post(os.Getenv("ENDPOINT_URL"), "text/plain", strings.NewReader(body))
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

var handlers = map[string]func(string) error{
	"none":    func(string) error { return nil },
	"http":    post,
	"program": func(string) error { return exec.Command("/bin/true").Run() },
}

func receive(client *sqs.Client, queue string, handle func(string) error) error {
	answer, err := client.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"}})
	if err != nil || len(answer.Messages) == 0 {
		return err
	}
	entries := make([]types.DeleteMessageBatchRequestEntry, len(answer.Messages))
	var group sync.WaitGroup
	for i, message := range answer.Messages {
		entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: message.ReceiptHandle}
		group.Add(1)
		go func() {
			defer group.Done()
			if err := handle(*message.Body); err != nil {
				log.Fatal(err)
			}
		}()
	}
	group.Wait()
	_, err = client.DeleteMessageBatch(context.Background(), &sqs.DeleteMessageBatchInput{QueueUrl: &queue, Entries: entries})
	return err
}

func main() {
	queue := os.Getenv("QUEUE_URL")
	at, err := url.Parse(queue)
	if err != nil {
		log.Fatal(err)
	}
	receivers, err := strconv.Atoi(os.Getenv("RECEIVERS"))
	if err != nil {
		log.Fatal(err)
	}
	client := sqs.New(sqs.Options{
		BaseEndpoint: aws.String(at.Scheme + "://" + at.Host), Region: "us-east-1",
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}},
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")})
	handle := handlers[os.Getenv("HANDLER")]
	for range receivers {
		go func() {
			for {
				if err := receive(client, queue, handle); err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	select {}
}
