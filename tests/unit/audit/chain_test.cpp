// A chain that is whole is found whole; whatever is done to it is found, with its place.

#include "audit_fixture.h"
#include "base/encoding.h"

namespace ferry::audit {
namespace {

namespace fs = std::filesystem;

class Chain : public testing_support::TrailTest {
 protected:
  static Ed25519Secret secret(std::uint64_t seed) {
    SeededRandom random(seed);
    return Ed25519Secret::make(random);
  }
  VerifyOptions with_key(std::uint64_t seed) const {
    VerifyOptions options;
    const Ed25519Public key = secret(seed).public_key();
    options.keys.emplace(ed25519_key_id(key), key);
    return options;
  }
  // Changes the lines of the only file.
  template <class Change>
  std::string faults_after(Change change) {
    const std::string before = read(path());
    std::vector<std::string> lines = split(before);
    change(lines);
    store(path(), join(lines));
    const std::string found = faults();
    store(path(), before);
    return found;
  }
};

TEST_F(Chain, ThatNobodyTouchedIsWhole) {
  write(5);
  const VerifyReport report = check();
  EXPECT_TRUE(report.whole()) << faults_of(report);
  ASSERT_EQ(report.chains.size(), 1u);
  const ChainReport& chain = report.chains[0];
  EXPECT_EQ(chain.name, options_.folder + "/audit-01");
  EXPECT_EQ(chain.id.size(), 36u);
  EXPECT_EQ(chain.lines, 7u);  // opened, five entries, closed
  EXPECT_EQ(chain.first_seq, 1u);
  EXPECT_EQ(chain.last_seq, 7u);
  EXPECT_EQ(chain.state, ChainState::Closed);
  EXPECT_EQ(chain.signed_lines, 0u);
  EXPECT_EQ(fs::path(path()).filename(), "audit-01-000000000001.jsonl");
}

TEST_F(Chain, LinksEveryLineToTheOneBefore) {
  write(3);
  std::string prev(kFirstPrev);
  std::uint64_t seq = 0;
  for (const std::string& line : split(read(path()))) {
    const auto record = parse_line(line);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->prev, prev);
    EXPECT_EQ(record->seq, ++seq);
    prev = hash_line(line);
  }
}

// Every bit of every line but the last, which nothing follows.
TEST_F(Chain, NoBitCanBeChanged) {
  write(2);
  const std::string good = read(path());
  const std::size_t last_line = good.rfind('\n', good.size() - 2) + 1;
  std::string text = good;
  for (std::size_t bit = 0; bit < last_line * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    store(path(), text);
    EXPECT_FALSE(check().whole()) << "bit " << bit << ": " << text.substr(0, 200);
    text[bit / 8] = good[bit / 8];
  }
}

TEST_F(Chain, AChangedLineIsFoundWithItsPlace) {
  write(5);
  EXPECT_EQ(faults_after([](auto& lines) { lines[2].replace(lines[2].find("message-2"), 9, "message-9"); }),
            "4: does not continue the line before it: line 3 was changed, or this one was\n");
}

TEST_F(Chain, AMissingLineIsFound) {
  write(5);
  EXPECT_EQ(faults_after([](auto& lines) { lines.erase(lines.begin() + 3); }),
            "4: has the number 5; number 4 is missing before it\n");
  EXPECT_EQ(faults_after([](auto& lines) { lines.erase(lines.begin() + 2, lines.begin() + 5); }),
            "3: has the number 6; numbers 3 to 5 are missing before it\n");
  EXPECT_NE(faults_after([](auto& lines) { lines.erase(lines.begin()); }).find("the file's name says 1"), std::string::npos);
}

TEST_F(Chain, AnInsertedLineIsFound) {
  write(5);
  EXPECT_NE(
      faults_after([](auto& lines) { lines.insert(lines.begin() + 3, lines[2]); }).find("4: has the number 3 and stands behind"),
      std::string::npos);
  EXPECT_NE(faults_after([](auto& lines) { lines.insert(lines.begin() + 3, "nothing"); }).find("4: is no line of an audit trail"),
            std::string::npos);
}

TEST_F(Chain, LinesThatChangedPlacesAreFound) {
  write(5);
  EXPECT_NE(faults_after([](auto& lines) { std::swap(lines[2], lines[4]); }).find("3: has the number 5"), std::string::npos);
}

TEST_F(Chain, ANewNumberingDoesNotHelp) {
  write(5);
  EXPECT_NE(faults_after([](auto& lines) {
              lines.erase(lines.begin() + 3);
              lines[3].replace(lines[3].find("\"seq\":5"), 7, "\"seq\":4");
            }).find("4: does not continue"),
            std::string::npos);
}

TEST_F(Chain, ALineOverItsBoundIsFound) {
  write(3);
  EXPECT_EQ(faults_after([](auto& lines) { lines[2] = std::string(kLineBytesMax + 1, 'x'); }),
            "3: has 65538 bytes; a line has at most 65536\n");
}

TEST_F(Chain, ACutTailIsFoundOnlyByWhoKnowsALineOfIt) {
  write(5);
  std::vector<std::string> lines = split(read(path()));
  const std::string last = lines.back();
  lines.resize(4);
  store(path(), join(lines));
  EXPECT_EQ(faults(), "");  // said to be open, and no more can be known
  EXPECT_EQ(check().chains[0].state, ChainState::Open);
  VerifyOptions options;
  options.known_lines = {last};
  EXPECT_NE(faults(options).find("ends with line 4, but its line 7 was seen before: the tail was cut off"), std::string::npos);
  fs::remove(path());
  store(options_.folder + "/audit-01-000000000001.jsonl", "");
  EXPECT_NE(faults(options).find("is not here"), std::string::npos);
}

TEST_F(Chain, OneThatWasWrittenAnewIsFoundOnlyByWhoKnowsALineOfIt) {
  write(3);
  const std::string last = split(read(path())).back();
  const std::string id = check().chains[0].id;
  VerifyOptions options;
  options.known_lines = {last};
  EXPECT_EQ(faults(options), "");
  clock_.advance(Millis(1));
  fs::remove(path());
  random_ = SeededRandom(1);  // the same id
  write(3);
  ASSERT_EQ(check().chains[0].id, id);
  EXPECT_EQ(faults(), "");
  EXPECT_NE(faults(options).find("the chain was written anew"), std::string::npos);
  options.known_lines = {"nonsense"};
  EXPECT_NE(faults(options).find("1: a known line is no line of a chain"), std::string::npos);
}

TEST_F(Chain, SignedLinesProveTheOnesBeforeThem) {
  options_.key = secret(1);
  options_.checkpoint_lines = 3;
  write(7);
  const VerifyReport report = check(with_key(1));
  EXPECT_TRUE(report.whole()) << faults_of(report);
  EXPECT_EQ(report.chains[0].signed_lines, 4u);  // opened, two checkpoints, closed
  EXPECT_EQ(report.chains[0].signed_seq, report.chains[0].last_seq);
  EXPECT_EQ(check().chains[0].signed_lines, 4u);
  EXPECT_NE(faults(with_key(2)).find("which is none of those that were named"), std::string::npos);
}

TEST_F(Chain, WhoHasNoKeyCannotWriteAnotherChain) {
  write(3);  // whole, and not signed
  EXPECT_NE(faults(with_key(1)).find("holds no line that is signed"), std::string::npos);
  fs::remove(path());
  options_.key = secret(2);
  write(3);
  std::string text = read(path());  // signed by another key that calls itself ours
  const std::string theirs = ed25519_key_id(secret(2).public_key());
  std::vector<std::string> lines = split(text);
  std::string prev(kFirstPrev);
  for (std::string& line : lines) {
    if (const std::size_t at = line.find(theirs); at != std::string::npos)
      line.replace(at, theirs.size(), ed25519_key_id(secret(1).public_key()));
    line.replace(line.find("\"prev\":\"") + 8, prev.size(), prev);
    prev = hash_line(line);
  }
  store(path(), join(lines));
  EXPECT_EQ(faults(), "");
  EXPECT_NE(faults(with_key(1)).find("has a signature that does not fit"), std::string::npos);
}

TEST_F(Chain, CheckpointsComeAfterTheirNumberOfLinesAndNotBefore) {
  options_.key = secret(1);
  options_.checkpoint_lines = 3;
  const auto writer = open();
  append(*writer, 2);
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(check().chains[0].signed_lines, 1u);
  append(*writer, 1);
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(check().chains[0].signed_lines, 2u);
}

TEST_F(Chain, CheckpointsAreKeptElsewhereAndFindACutTail) {
  options_.key = secret(1);
  options_.checkpoint_lines = 2;
  options_.checkpoint_folder = root_ + "/elsewhere";
  write(5);
  const std::string kept = read(options_.checkpoint_folder + "/" + check().chains[0].id + ".jsonl");
  VerifyOptions options = with_key(1);
  options.known_lines = split(kept);
  EXPECT_EQ(options.known_lines.size(), 4u);
  EXPECT_EQ(faults(options), "");
  std::vector<std::string> lines = split(read(path()));
  lines.resize(lines.size() - 1);
  store(path(), join(lines));
  EXPECT_NE(faults(options).find("the tail was cut off"), std::string::npos);
  write(1);  // a new process goes on, and its checkpoints join the others
  EXPECT_GT(split(read(options_.checkpoint_folder + "/" + check().chains[0].id + ".jsonl")).size(), 4u);
}

TEST_F(Chain, NoTrailIsSaidToBeNone) {
  EXPECT_EQ(verify(files_, {root_ + "/nowhere"}, {}).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(verify(files_, {root_}, {}).error().kind, ErrorKind::NotFound);
}

TEST_F(Chain, FaultsOverTheirNumberAreCounted) {
  write(static_cast<int>(kFaultsMax) + 1);
  const std::string text = read(path());
  std::vector<std::string> lines = split(text);
  std::string none;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) lines[i + 1].replace(lines[i + 1].find("\"prev\":\"") + 8, 4, "ffff");
  store(path(), join(lines));
  const VerifyReport report = check();
  EXPECT_EQ(report.faults.size(), kFaultsMax);
  EXPECT_EQ(report.faults_left_out, 2u);
}

TEST_F(Chain, AFileUnderAnotherNameIsAChainOfItsOwn) {
  write(3);
  const std::string shipped = root_ + "/shipped.log";
  fs::copy_file(path(), shipped);
  const auto report = verify(files_, {shipped, path()}, {});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->whole()) << faults_of(*report);
  EXPECT_EQ(report->chains.size(), 2u);
}

}  // namespace
}  // namespace ferry::audit
