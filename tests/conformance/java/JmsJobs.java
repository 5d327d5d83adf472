// Amazon's JMS library, a hundred jobs: one fails for good and is redriven, one fails once and is tried again. Prints "ok NAME" or
// "not ok NAME: WHY". FERRY_URL is a recording proxy.

import com.amazon.sqs.javamessaging.ProviderConfiguration;
import com.amazon.sqs.javamessaging.SQSConnection;
import com.amazon.sqs.javamessaging.SQSConnectionFactory;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

public class JmsJobs {
  static final int JOBS = 100;
  static final String REDELIVERED = "JMSXDeliveryCount";

  static int count(SqsClient sqs, String queue) {
    return sqs.getQueueAttributes(r -> r.queueUrl(queue).attributeNames(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES,
        QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE)).attributes().values().stream().mapToInt(Integer::parseInt).sum();
  }

  /** Sends the jobs to `name`, works until its queue is empty; job 13 fails always, job 42 the first time. */
  static void jobs(SqsClient sqs, String suffix, Map<String, String> attributes) throws Exception {
    String name = "jms-" + ProcessHandle.current().pid();
    String dead = sqs.createQueue(r -> r.queueName(name + "-dead" + suffix).attributesWithStrings(attributes)).queueUrl();
    String arn = sqs.getQueueAttributes(r -> r.queueUrl(dead).attributeNames(QueueAttributeName.QUEUE_ARN)).attributes().get(QueueAttributeName.QUEUE_ARN);
    Map<String, String> own = new ConcurrentHashMap<>(attributes);
    own.put("VisibilityTimeout", "2");
    own.put("RedrivePolicy", "{\"deadLetterTargetArn\":\"" + arn + "\",\"maxReceiveCount\":3}");
    String queue = sqs.createQueue(r -> r.queueName(name + suffix).attributesWithStrings(own)).queueUrl();
    Map<String, AtomicInteger> tried = new ConcurrentHashMap<>();
    Map<String, Integer> done = new ConcurrentHashMap<>();
    SQSConnectionFactory factory = new SQSConnectionFactory(new ProviderConfiguration().withNumberOfMessagesToPrefetch(suffix.isEmpty() ? 5 : 1), sqs);
    SQSConnection connection = factory.createConnection();  // never closed: that would wait for a long poll of 20 s
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    MessageProducer producer = session.createProducer(session.createQueue(name + suffix));
    for (int n = 0; n < JOBS; n++) {
      TextMessage message = session.createTextMessage("job " + n);
      message.setIntProperty("number", n);
      if (!suffix.isEmpty()) {
        message.setStringProperty("JMSXGroupID", "group" + n % 7);
        message.setStringProperty("JMS_SQS_DeduplicationId", "job-" + n);
      }
      producer.send(message);
    }
    Session consuming = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    MessageConsumer consumer = consuming.createConsumer(consuming.createQueue(name + suffix));
    consumer.setMessageListener(message -> {
      try {
        String body = ((TextMessage) message).getText();
        if (!body.equals("job " + message.getIntProperty("number"))) {
          throw new IllegalStateException("another property");
        }
        int attempt = tried.computeIfAbsent(body, key -> new AtomicInteger()).incrementAndGet();
        if (body.equals("job 13") || body.equals("job 42") && attempt == 1) {
          throw new IllegalStateException("this job fails");
        }
        done.merge(body, 1, Integer::sum);
        if (attempt > 1 && message.getIntProperty(REDELIVERED) != attempt) {
          done.put("another delivery count", message.getIntProperty(REDELIVERED));
        }
      } catch (jakarta.jms.JMSException error) {
        throw new IllegalStateException(error);
      }
    });
    connection.start();
    for (int n = 0; n < 600 && !(done.size() >= JOBS - 1 && count(sqs, queue) == 0 && count(sqs, dead) == 1); n++) {
      Thread.sleep(50);
    }
    if (done.size() != JOBS - 1 || done.containsKey("job 13") || done.values().stream().anyMatch(times -> times != 1)) {
      throw new AssertionError("done: " + done);
    }
    if (tried.get("job 42").get() != 2 || tried.get("job 13").get() != 3 || count(sqs, queue) != 0 || count(sqs, dead) != 1) {
      throw new AssertionError("tried: " + tried + ", left " + count(sqs, queue) + ", dead " + count(sqs, dead));
    }
  }

  interface Case {
    void run() throws Exception;
  }

  static void run(String name, Case body) {
    try {
      body.run();
      System.out.println("ok " + name);
    } catch (Throwable error) {
      System.out.println("not ok " + name + ": " + error);
      error.printStackTrace();
    }
  }

  public static void main(String[] words) {
    SqsClient sqs = SqsClient.builder().endpointOverride(URI.create(System.getenv("FERRY_URL"))).region(Region.US_EAST_1)
        .credentialsProvider(StaticCredentialsProvider.create(
            AwsBasicCredentials.create(System.getenv("FERRY_ACCESS_KEY"), System.getenv("FERRY_SECRET_KEY"))))
        .httpClient(UrlConnectionHttpClient.builder().socketTimeout(java.time.Duration.ofSeconds(60)).build()).build();
    run("jms standard", () -> jobs(sqs, "", Map.of()));
    run("jms fifo", () -> jobs(sqs, ".fifo", Map.of("FifoQueue", "true")));
    System.exit(0);
  }
}
