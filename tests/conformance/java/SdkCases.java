// The AWS SDK for Java v2: every action, error classes, MD5 checks, FIFO, dead letters. One line for each case: "ok NAME" or
// "not ok NAME: WHY". Compiled against a version that speaks JSON and one that speaks Query. FERRY_URL is a recording proxy.

import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.*;

public class SdkCases {
  static SqsClient sqs;
  static int serial = 0;

  interface Case {
    void run() throws Exception;
  }

  static void check(boolean condition, Object... words) {
    if (!condition) {
      throw new AssertionError(java.util.Arrays.toString(words));
    }
  }

  static void same(Object found, Object expected) {
    check(expected.equals(found), "expected", expected, "found", found);
  }

  /** Checks the class of an error and its code. */
  static void refused(Class<? extends SqsException> kind, String code, Runnable call) {
    try {
      call.run();
    } catch (SqsException error) {
      check(kind.isInstance(error), "another class", error.getClass(), error.getMessage());
      same(error.awsErrorDetails().errorCode(), code);
      return;
    }
    throw new AssertionError("not refused");
  }

  static String name() {
    return "java-" + ProcessHandle.current().pid() + "-" + ++serial;
  }

  static String create(Map<String, String> attributes) {
    String suffix = attributes.containsKey("FifoQueue") ? ".fifo" : "";
    return sqs.createQueue(r -> r.queueName(name() + suffix).attributesWithStrings(attributes)).queueUrl();
  }

  static String attribute(String queue, QueueAttributeName which) {
    return sqs.getQueueAttributes(r -> r.queueUrl(queue).attributeNames(which)).attributes().get(which);
  }

  static String send(String queue, String body) {
    return sqs.sendMessage(r -> r.queueUrl(queue).messageBody(body)).messageId();
  }

  @SuppressWarnings("deprecation")
  static List<Message> receive(String queue, int most, int wait, int visibility) {
    return sqs.receiveMessage(r -> r.queueUrl(queue).maxNumberOfMessages(most).waitTimeSeconds(wait).visibilityTimeout(visibility)
        .attributeNamesWithStrings("All").messageAttributeNames("All")).messages();
  }

  static void delete(String queue, Message message) {
    sqs.deleteMessage(r -> r.queueUrl(queue).receiptHandle(message.receiptHandle()));
  }

  static List<String> bodies(List<Message> messages) {
    return messages.stream().map(Message::body).collect(Collectors.toList());
  }

  static Map<String, Case> cases() {
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("queues", SdkCases::queues);
    cases.put("pages", SdkCases::pages);
    cases.put("messages", SdkCases::messages);
    cases.put("message errors", SdkCases::messageErrors);
    cases.put("batches", SdkCases::batches);
    cases.put("a long poll", SdkCases::longPoll);
    cases.put("fifo", SdkCases::fifo);
    cases.put("dead letters and move tasks", SdkCases::deadLetters);
    cases.put("tags and permissions", SdkCases::tagsAndPermissions);
    return cases;
  }

  static void queues() {
    String name = name();
    String queue = sqs.createQueue(r -> r.queueName(name).attributesWithStrings(Map.of("VisibilityTimeout", "45")).tags(Map.of("team", "blue"))).queueUrl();
    same(sqs.getQueueUrl(r -> r.queueName(name)).queueUrl(), queue);
    refused(QueueNameExistsException.class, "QueueAlreadyExists",
        () -> sqs.createQueue(r -> r.queueName(name).attributesWithStrings(Map.of("VisibilityTimeout", "46"))));
    sqs.setQueueAttributes(r -> r.queueUrl(queue).attributesWithStrings(Map.of("DelaySeconds", "3")));
    same(attribute(queue, QueueAttributeName.DELAY_SECONDS), "3");
    refused(SqsException.class, "InvalidAttributeValue",
        () -> sqs.setQueueAttributes(r -> r.queueUrl(queue).attributesWithStrings(Map.of("DelaySeconds", "901"))));
    refused(InvalidAttributeNameException.class, "InvalidAttributeName",
        () -> sqs.getQueueAttributes(r -> r.queueUrl(queue).attributeNamesWithStrings("Colour")));
    sqs.purgeQueue(r -> r.queueUrl(queue));
    sqs.deleteQueue(r -> r.queueUrl(queue));
    refused(QueueDoesNotExistException.class, "AWS.SimpleQueueService.NonExistentQueue", () -> sqs.deleteQueue(r -> r.queueUrl(queue)));
  }

  static void pages() {
    String prefix = name();
    for (int n = 0; n < 5; n++) {
      String one = prefix + "-p" + n;
      sqs.createQueue(r -> r.queueName(one));
    }
    long pages = sqs.listQueuesPaginator(r -> r.queueNamePrefix(prefix + "-").maxResults(2)).stream().count();
    long urls = sqs.listQueuesPaginator(r -> r.queueNamePrefix(prefix + "-").maxResults(2)).queueUrls().stream().count();
    check(pages == 3 && urls == 5, pages, urls);
  }

  static void messages() {
    String queue = create(Map.of());
    Map<String, MessageAttributeValue> attributes = Map.of(
        "blob", MessageAttributeValue.builder().dataType("Binary").binaryValue(SdkBytes.fromByteArray(new byte[] {1, 2, 3})).build(),
        "color", MessageAttributeValue.builder().dataType("String").stringValue("blue").build(),
        "count", MessageAttributeValue.builder().dataType("Number").stringValue("3").build());
    String body = "é€😀 <&> \" \\ \r\n\t";
    SendMessageResponse sent = sqs.sendMessage(r -> r.queueUrl(queue).messageBody(body).messageAttributes(attributes));
    same(sent.md5OfMessageAttributes(), "d838729972a4b70e2d2acd9d59ac847c");
    Message first = receive(queue, 1, 5, 30).get(0);
    same(first.body(), body);
    same(first.messageId(), sent.messageId());
    same(first.messageAttributes(), attributes);
    same(first.attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT), "1");
    sqs.changeMessageVisibility(r -> r.queueUrl(queue).receiptHandle(first.receiptHandle()).visibilityTimeout(0));
    Message again = receive(queue, 1, 5, 30).get(0);
    same(again.attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT), "2");
    delete(queue, again);
    same(receive(queue, 1, 0, 30).size(), 0);
    String large = "x".repeat(1 << 20);
    send(queue, large);
    same(receive(queue, 1, 5, 30).get(0).body(), large);
  }

  static void messageErrors() {
    String queue = create(Map.of());
    refused(InvalidMessageContentsException.class, "InvalidMessageContents", () -> send(queue, "\u0001"));
    refused(SqsException.class, "InvalidParameterValue", () -> receive(queue, 11, 0, 30));
    refused(ReceiptHandleIsInvalidException.class, "ReceiptHandleIsInvalid", () -> sqs.deleteMessage(r -> r.queueUrl(queue).receiptHandle("h")));
    refused(ReceiptHandleIsInvalidException.class, "ReceiptHandleIsInvalid",
        () -> sqs.changeMessageVisibility(r -> r.queueUrl(queue).receiptHandle("h").visibilityTimeout(1)));
    refused(QueueDoesNotExistException.class, "AWS.SimpleQueueService.NonExistentQueue", () -> send(queue + "x", "x"));
  }

  static void batches() {
    String queue = create(Map.of());
    List<SendMessageBatchRequestEntry> entries = IntStream.range(0, 9)
        .mapToObj(n -> SendMessageBatchRequestEntry.builder().id("e" + n).messageBody("b" + n).build()).collect(Collectors.toList());
    entries.add(SendMessageBatchRequestEntry.builder().id("bad").messageBody("\u0001").build());
    SendMessageBatchResponse sent = sqs.sendMessageBatch(r -> r.queueUrl(queue).entries(entries));
    check(sent.successful().size() == 9 && sent.failed().size() == 1, sent);
    same(sent.failed().get(0).code(), "InvalidMessageContents");
    same(sent.failed().get(0).senderFault(), true);
    List<Message> received = receive(queue, 10, 5, 30);
    same(received.size(), 9);
    List<ChangeMessageVisibilityBatchRequestEntry> visibility = new ArrayList<>();
    List<DeleteMessageBatchRequestEntry> deletes = new ArrayList<>();
    for (Message message : received) {
      String id = "e" + deletes.size(), handle = message.receiptHandle();
      visibility.add(ChangeMessageVisibilityBatchRequestEntry.builder().id(id).receiptHandle(handle).visibilityTimeout(60).build());
      deletes.add(DeleteMessageBatchRequestEntry.builder().id(id).receiptHandle(handle).build());
    }
    same(sqs.changeMessageVisibilityBatch(r -> r.queueUrl(queue).entries(visibility)).successful().size(), 9);
    deletes.add(DeleteMessageBatchRequestEntry.builder().id("g").receiptHandle("garbage").build());
    DeleteMessageBatchResponse deleted = sqs.deleteMessageBatch(r -> r.queueUrl(queue).entries(deletes));
    same(deleted.successful().size(), 9);
    same(deleted.failed().get(0).code(), "ReceiptHandleIsInvalid");
    String prefix = "AWS.SimpleQueueService.";
    refused(EmptyBatchRequestException.class, prefix + "EmptyBatchRequest",
        () -> sqs.sendMessageBatch(r -> r.queueUrl(queue).entries(new ArrayList<>())));
    refused(BatchEntryIdsNotDistinctException.class, prefix + "BatchEntryIdsNotDistinct",
        () -> sqs.sendMessageBatch(r -> r.queueUrl(queue).entries(entries.get(0), entries.get(0))));
    entries.addAll(entries);
    refused(TooManyEntriesInBatchRequestException.class, prefix + "TooManyEntriesInBatchRequest",
        () -> sqs.sendMessageBatch(r -> r.queueUrl(queue).entries(entries)));
  }

  static void longPoll() throws Exception {
    String queue = create(Map.of());
    CompletableFuture<List<Message>> poll = CompletableFuture.supplyAsync(() -> receive(queue, 1, 20, 30));
    Thread.sleep(200);
    send(queue, "wake");
    same(bodies(poll.get(5, TimeUnit.SECONDS)), List.of("wake"));
  }

  static SendMessageResponse post(String queue, String body, String group) {
    return sqs.sendMessage(r -> r.queueUrl(queue).messageBody(body).messageGroupId(group));
  }

  static void fifo() {
    String queue = create(Map.of("FifoQueue", "true", "ContentBasedDeduplication", "true"));
    SendMessageResponse first = post(queue, "m1", "g");
    post(queue, "m2", "g");
    post(queue, "n1", "h");
    SendMessageResponse again = post(queue, "m1", "g");
    same(again.messageId(), first.messageId());
    same(again.sequenceNumber(), first.sequenceNumber());
    List<Message> messages = receive(queue, 1, 5, 30);
    same(bodies(messages), List.of("m1"));
    same(messages.get(0).attributes().get(MessageSystemAttributeName.SEQUENCE_NUMBER), first.sequenceNumber());
    same(bodies(receive(queue, 10, 5, 30)), List.of("n1"));
    delete(queue, messages.get(0));
    same(bodies(receive(queue, 10, 5, 30)), List.of("m2"));
    refused(SqsException.class, "MissingParameter", () -> send(queue, "x"));
  }

  static void deadLetters() throws Exception {
    String target = create(Map.of()), arn = attribute(target, QueueAttributeName.QUEUE_ARN);
    String source = create(Map.of("RedrivePolicy", "{\"deadLetterTargetArn\":\"" + arn + "\",\"maxReceiveCount\":\"1\"}"));
    send(source, "worn");
    receive(source, 1, 5, 0);
    same(receive(source, 1, 0, 0).size(), 0);
    same(sqs.listDeadLetterSourceQueues(r -> r.queueUrl(target)).queueUrls(), List.of(source));
    Message dead = receive(target, 1, 5, 0).get(0);
    same(dead.attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT), "2");
    same(dead.attributesAsStrings().get("DeadLetterQueueSourceArn"), attribute(source, QueueAttributeName.QUEUE_ARN));
    String handle = sqs.startMessageMoveTask(r -> r.sourceArn(arn)).taskHandle();
    same(bodies(receive(source, 1, 10, 30)), List.of("worn"));
    ListMessageMoveTasksResultEntry task = null;
    for (int n = 0; n < 100 && (task == null || task.status().equals("RUNNING")); n++, Thread.sleep(50)) {
      task = sqs.listMessageMoveTasks(r -> r.sourceArn(arn)).results().get(0);
    }
    same(task.status(), "COMPLETED");
    same(task.approximateNumberOfMessagesMoved(), 1L);
    refused(ResourceNotFoundException.class, "ResourceNotFoundException", () -> sqs.cancelMessageMoveTask(r -> r.taskHandle(handle)));
    refused(ResourceNotFoundException.class, "ResourceNotFoundException", () -> sqs.startMessageMoveTask(r -> r.sourceArn(arn + "x")));
  }

  static void tagsAndPermissions() {
    String queue = create(Map.of());
    sqs.tagQueue(r -> r.queueUrl(queue).tags(Map.of("a", "1", "b", "")));
    sqs.untagQueue(r -> r.queueUrl(queue).tagKeys("a"));
    same(sqs.listQueueTags(r -> r.queueUrl(queue)).tags(), Map.of("b", ""));
    sqs.addPermission(r -> r.queueUrl(queue).label("l").awsAccountIds("111122223333").actions("SendMessage"));
    check(attribute(queue, QueueAttributeName.POLICY).contains("SQS:SendMessage"), "no policy");
    sqs.removePermission(r -> r.queueUrl(queue).label("l"));
    check(attribute(queue, QueueAttributeName.POLICY) == null, "a policy is left");
  }

  public static void main(String[] words) {
    sqs = SqsClient.builder().endpointOverride(URI.create(System.getenv("FERRY_URL"))).region(Region.US_EAST_1)
        .credentialsProvider(StaticCredentialsProvider.create(
            AwsBasicCredentials.create(System.getenv("FERRY_ACCESS_KEY"), System.getenv("FERRY_SECRET_KEY"))))
        .httpClient(UrlConnectionHttpClient.builder().socketTimeout(java.time.Duration.ofSeconds(60)).build()).build();
    cases().forEach((name, body) -> {
      try {
        body.run();
        System.out.println("ok " + name);
      } catch (Throwable error) {
        System.out.println("not ok " + name + ": " + error);
        error.printStackTrace();
      }
    });
  }
}
