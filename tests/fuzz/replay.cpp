// Runs a fuzz target without libFuzzer, the same way every time: over its corpus, over each small
// file of it cut at every byte, and over mutations of it.
//
//     NAME_fuzz CORPUS [MUTATIONS]
//     NAME_fuzz FILE              one input, as libFuzzer's binaries take it
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kCutUpTo = 1024;   // Larger files are not cut at every byte.
constexpr std::size_t kMostBytes = 1 << 16;  // No mutation is larger.
constexpr std::uint8_t kTelling[] = {0, 1, 2, 4, 8, 16, 32, 64, 127, 128, 254, 255, ' ', '\n', '"',
                                     '=', ',', '-', '[', '{', '$', '0', '9'};

Bytes read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// The exact size on the heap, so that a sanitizer sees the first byte past the end.
void run(const Bytes& input) {
  const Bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

// The mutation that is under way, for whoever has to find out why it crashed.
class Failing {
 public:
  void is(const Bytes& input) {
    if (const char* path = std::getenv("TRAPLINE_FUZZ_LAST")) {
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(input.data()),
                 static_cast<std::streamsize>(input.size()));
    }
  }
};

class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& corpus) : corpus_(corpus) {}

  Bytes next() {
    Bytes bytes = corpus_[below(corpus_.size())];
    for (std::size_t count = 1 + below(4); count > 0; --count) change(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  std::uint8_t any_byte() {
    return below(2) ? kTelling[below(std::size(kTelling))] : static_cast<std::uint8_t>(random_());
  }

  void change(Bytes& bytes) {
    const std::size_t at = below(bytes.size() + 1);
    const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t length = std::min(1 + below(16), bytes.size() - at);
    const auto there = here + static_cast<std::ptrdiff_t>(length);
    switch (below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] ^= static_cast<std::uint8_t>(1u << below(8));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = any_byte();
        break;
      case 2:
        bytes.insert(here, any_byte());
        break;
      case 3:
        bytes.erase(here, there);
        break;
      case 4: {
        const Bytes part(here, there);
        if (bytes.size() < kMostBytes) {
          const auto to = static_cast<std::ptrdiff_t>(below(bytes.size() + 1));
          bytes.insert(bytes.begin() + to, part.begin(), part.end());
        }
        break;
      }
      default: {
        const Bytes& other = corpus_[below(corpus_.size())];
        bytes.resize(at);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())),
                     other.end());
      }
    }
  }

  const std::vector<Bytes>& corpus_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS]\n", argv[0]);
    return 2;
  }
  if (!fs::is_directory(argv[1])) {
    run(read(argv[1]));
    return 0;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "%s is empty\n", argv[1]);
    return 2;
  }
  std::vector<Bytes> corpus;
  Failing failing;
  const auto attempt = [&](const Bytes& input) {
    failing.is(input);
    run(input);
  };
  for (const fs::path& path : files) {
    corpus.push_back(read(path));
    attempt(corpus.back());
  }
  std::size_t cuts = 0;
  for (const Bytes& whole : corpus) {
    if (whole.size() > kCutUpTo) continue;
    for (std::size_t size = 0; size < whole.size(); ++size, ++cuts) {
      attempt(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
  const unsigned long mutations = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0;
  Mutator mutator(corpus);
  for (unsigned long n = 0; n < mutations; ++n) attempt(mutator.next());
  std::printf("%zu files, %zu cuts, %lu mutations\n", corpus.size(), cuts, mutations);
  return 0;
}
