#pragma once
// A folder with an audit trail, and hands that change it behind its back.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "audit/life.h"
#include "audit/verify.h"
#include "audit/writer.h"
#include "base/manual_clock.h"
#include "base/posix_file.h"

namespace ferry::audit::testing_support {

namespace fs = std::filesystem;

class TrailTest : public testing::Test {
 protected:
  TrailTest() {
    std::string name = (fs::temp_directory_path() / "ferry-audit-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    options_.folder = root_ + "/trail";
  }
  ~TrailTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  TrailTest(const TrailTest&) = delete;
  TrailTest& operator=(const TrailTest&) = delete;

  std::unique_ptr<Writer> open() {
    auto writer = Writer::open(options_, files_, clock_, random_);
    if (!writer) throw std::runtime_error(writer.error().message);
    return std::move(*writer);
  }
  static Entry entry(int number) {
    return received({"message-" + std::to_string(number), "", "work", "Enable"}, {number, "2026-11-23T08:00:00.000Z", "AIDA"});
  }
  static void append(Writer& writer, int count) {
    for (int i = 1; i <= count; ++i) {
      const auto done = writer.append(entry(i));
      if (!done) throw std::runtime_error(done.error().message);
    }
  }
  // A whole trail with so many entries, closed.
  void write(int count) {
    const auto writer = open();
    append(*writer, count);
    ASSERT_TRUE(writer->close());
  }

  std::vector<std::string> paths() const {
    std::vector<std::string> found;
    for (const auto& file : fs::directory_iterator(options_.folder)) {
      if (file.path().extension() == ".jsonl") found.push_back(file.path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string path() const { return paths().at(0); }
  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void store(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
  static std::string join(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

  VerifyReport check(const VerifyOptions& options = {}) {
    auto report = verify(files_, {options_.folder}, options);
    if (!report) throw std::runtime_error(report.error().message);
    return *report;
  }
  // All faults, one a line: "LINE: WHAT".
  static std::string faults_of(const VerifyReport& report) {
    std::string text;
    for (const Fault& fault : report.faults) text += std::to_string(fault.line) + ": " + fault.what + "\n";
    return text;
  }
  std::string faults(const VerifyOptions& options = {}) { return faults_of(check(options)); }

  std::string root_;
  WriterOptions options_;
  PosixFileSystem files_;
  ManualClock clock_{from_epoch_millis(1'795'420'800'000)};
  SeededRandom random_{1};
};

}  // namespace ferry::audit::testing_support
