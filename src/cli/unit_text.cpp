#include "cli/unit_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace ferry::cli {
namespace {

// What a worker needs of the machine: the network, its state folder, and to run programs. Handlers are processes of the service
// and live in the same walls; loosen what they need, for example ReadWritePaths=.
constexpr std::string_view kWalls = R"(NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={protect_home}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
UMask=0077
)";

std::string exec_start(const UnitInput& input) {
  std::string line;
  for (const std::string& word : input.argv) line += (line.empty() ? "" : " ") + unit_word(word).value_or("");
  return line;
}

std::string service_head(const UnitInput& input, std::string_view what) {
  return fmt::format(
      "[Unit]\nDescription=ferry: {} "
      "{}\nDocumentation=man:systemd.service(5)\nWants=network-online.target\nAfter=network-online.target\n",
      what, unit_word(input.queue).value_or("a queue"));
}

std::string service_body(const UnitInput& input) {
  std::string text = input.user.empty() ? "DynamicUser=yes\n" : fmt::format("User={}\n", input.user);
  text += fmt::format("EnvironmentFile=-{}\n", input.credentials_file);
  text += fmt::format("StateDirectory={0}\nStateDirectoryMode=0700\nRuntimeDirectory={0}\nWorkingDirectory=%S/{0}\n", input.name);
  text += fmt::format("Environment=HOME=%S/{0} XDG_DATA_HOME=%S/{0} XDG_STATE_HOME=%S/{0} XDG_RUNTIME_DIR=%t/{0}\n", input.name);
  text +=
      fmt::format("KillMode=mixed\nKillSignal=SIGTERM\nTimeoutStopSec={}\n", std::chrono::ceil<Seconds>(input.stop_time).count());
  text += fmt::format(fmt::runtime(kWalls), fmt::arg("protect_home", input.read_paths.empty() ? "yes" : "tmpfs"));
  for (const std::string& path : input.read_paths) text += fmt::format("BindReadOnlyPaths={}\n", unit_word(path).value_or(""));
  return text;
}
}  // namespace

std::optional<std::string> unit_word(std::string_view word) {
  std::string text;
  bool quoted = word.empty();
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return std::nullopt;
    if (c == ' ' || c == '\'' || c == ';' || c == '#') quoted = true;
    if (c == '%' || c == '$') text.push_back(c);
    if (c == '"' || c == '\\') {
      text.push_back('\\');
      quoted = true;
    }
    text.push_back(c);
  }
  return quoted ? "\"" + text + "\"" : text;
}

std::string unit_name(std::string_view mode, std::string_view queue_name) {
  std::string name = fmt::format("ferry-{}-{}", mode, queue_name);
  std::replace_if(
      name.begin(), name.end(),
      [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
      },
      '-');
  return name;
}

std::string service_unit(const UnitInput& input) {
  return service_head(input, "carry out the requests of") +
         "StartLimitIntervalSec=0\n\n[Service]\nType=notify\nNotifyAccess=main\nTimeoutStartSec=infinity\n"
         "# No sign of life for so long: it hangs, and is killed and started anew.\nWatchdogSec=180\nExecStart=" +
         exec_start(input) +
         "\nRestart=on-failure\nRestartSec=5\n# Usage and configuration, no such queue, not authorised: starting again would not "
         "help.\n"
         "RestartPreventExitStatus=2 3 4\nSuccessExitStatus=143\n" +
         service_body(input) + "\n[Install]\nWantedBy=multi-user.target\n";
}

std::string oneshot_unit(const UnitInput& input) {
  return service_head(input, "carry out what waits in") + "\n[Service]\nType=oneshot\nExecStart=" + exec_start(input) +
         "\n# 6: a limit was reached with work left; the next run goes on.\nSuccessExitStatus=6 143\nTimeoutStartSec=infinity\n" +
         service_body(input);
}

std::string timer_unit(const UnitInput& input, Seconds interval) {
  return fmt::format(
      "[Unit]\nDescription=ferry: look at {} every {} s\n\n[Timer]\nOnActiveSec=10\nOnUnitInactiveSec={}\nAccuracySec=1\n"
      "RandomizedDelaySec={}\n\n[Install]\nWantedBy=timers.target\n",
      unit_word(input.queue).value_or("a queue"), interval.count(), interval.count(), interval.count() / 10);
}

}  // namespace ferry::cli
