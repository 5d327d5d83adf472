// One system: asks another to pay for orders. Each request is signed, and its key says which order it is: however often it is
// asked for, it is paid once.
//
//   ask QUEUE KEY-FILE ORDER CENTS

#include <ferry/sender.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: ask QUEUE KEY-FILE ORDER CENTS\n";
    return 2;
  }
  ferry::Expected<ferry::Sender> sender = ferry::Sender::open({.queue = argv[1], .signing_key = argv[2]});
  if (!sender) {
    std::cerr << "ask: " << sender.error().message << '\n';
    return 1;
  }
  const ferry::Expected<ferry::SentMessage> sent = sender->send({
      .name = "Pay",
      .parameter = std::atoll(argv[4]),
      .attributes = {{"Order", argv[3]}},
      .body = "Please pay",
      .idempotency_key = std::string("order-") + argv[3],
      .valid_for = std::chrono::hours(24),
  });
  if (!sent) {
    std::cerr << "ask: " << sent.error().message << '\n';
    return 1;
  }
  std::cout << sent->id << '\n';
}
