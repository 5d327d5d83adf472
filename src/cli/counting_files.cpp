#include "cli/counting_files.h"

namespace ferry::cli {

class CountingFiles::CountedFile final : public File {
 public:
  CountedFile(std::unique_ptr<File> inner, CountingFiles& files) : inner_(std::move(inner)), files_(files) {}

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return inner_->write_at(offset, bytes);
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    auto got = inner_->read_at(offset, bytes);
    if (got) files_.count(*got);
    return got;
  }
  Result<void> sync() override { return inner_->sync(); }
  Result<std::uint64_t> size() override { return inner_->size(); }
  Result<void> truncate(std::uint64_t bytes) override { return inner_->truncate(bytes); }
  Result<void> hold(Hold hold) override { return inner_->hold(hold); }

 private:
  std::unique_ptr<File> inner_;
  CountingFiles& files_;
};

void CountingFiles::count(std::size_t bytes) {
  bytes_ += bytes;
  told_(bytes_);
}

Result<std::unique_ptr<File>> CountingFiles::open(const std::string& path, const OpenMode& mode) {
  FERRY_TRY(auto file, inner_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<CountedFile>(std::move(file), *this));
}

}  // namespace ferry::cli
