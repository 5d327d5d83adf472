// Another system: pays. It believes the senders of its file alone, and the payment is committed together with the record that it
// was made: a crash at any moment pays neither twice nor never. SIGTERM and Ctrl-C let running payments finish.
//
//   carry_out QUEUE LEDGER ALLOWED-SENDERS

#include <ferry/worker.h>

#include <csignal>
#include <iostream>

namespace {

ferry::Outcome pay(ferry::Task& task) {
  const ferry::Expected<std::int64_t> cents = task.integer();
  const std::optional<ferry::AttributeValue> order = task.attribute("Order");
  if (!cents || !order) return ferry::Outcome::reject("an amount and an Order are needed");
  // Runs in the ledger's transaction, after this function has returned: by value what it needs.
  return ferry::Outcome::done().commit([cents = *cents, order = order->value,
                                        asked_by = task.signed_by()](ferry::Transaction& transaction) -> ferry::Expected<void> {
    const auto table =
        transaction.execute("CREATE TABLE IF NOT EXISTS payment (order_name TEXT, cents INTEGER, asked_by TEXT)", {});
    if (!table) return table.error();
    const auto paid = transaction.execute("INSERT INTO payment VALUES ($1, $2, $3)", {order, cents, asked_by});
    if (!paid) return paid.error();
    return {};
  });
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: carry_out QUEUE LEDGER ALLOWED-SENDERS\n";
    return 2;
  }
  ferry::WorkerOptions options;
  options.queue = argv[1];
  options.ledger = argv[2];
  options.allowed_senders = argv[3];
  options.wait = std::chrono::seconds(5);
  options.stop_signals = {SIGINT, SIGTERM};
  options.on_event = [](const ferry::Event& event) {
    if (event.level != ferry::EventLevel::Step) std::cerr << event.text << std::endl;
  };
  ferry::Worker worker(std::move(options));
  worker.on("Pay", pay,
            {.parameter = ferry::ParameterRule::integer({1, 1'000'000}),
             .attributes = {{"Order", ferry::ParameterRule::pattern("[A-Z][0-9]+")}},
             .timeout = std::chrono::seconds(30),
             .require_key = true});
  const ferry::Expected<ferry::RunReport> report = worker.run();
  if (!report) {
    std::cerr << "carry_out: " << report.error().message << '\n';
    return 1;
  }
  std::cout << report->handled << " paid, " << report->duplicates << " asked for again, " << report->refused << " refused\n";
  return report->end == ferry::RunEnd::Interrupted ? 1 : 0;
}
