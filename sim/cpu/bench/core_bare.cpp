// Runs the guest of bench/core on the engine alone, with no hook: the floor that trapline is
// measured against. core_bare IMAGE prints the guest's result (X0).
#include <unicorn/unicorn.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

constexpr std::uint64_t kRam = 0x40000000, kRamBytes = 64 << 20;
constexpr std::uint64_t kImage = kRam + 0x200000;
constexpr unsigned kStopOffset = 8;  // Of the word in the image that says where it ends.

bool failed(uc_err error, const char* what) {
  if (error == UC_ERR_OK) return false;
  std::fprintf(stderr, "core_bare: %s: %s\n", what, uc_strerror(error));
  return true;
}

// Firmware's part: EL1 is AArch64 and Non-secure.
uc_err prepare(uc_engine* engine) {
  uc_arm64_cp_reg scr_el3{};
  scr_el3.op0 = 3;
  scr_el3.op1 = 6;
  scr_el3.crn = 1;
  scr_el3.crm = 1;
  scr_el3.val = 0x531;
  uc_arm64_cp_reg hcr_el2{};
  hcr_el2.op0 = 3;
  hcr_el2.op1 = 4;
  hcr_el2.crn = 1;
  hcr_el2.crm = 1;
  hcr_el2.val = 1ull << 31;
  const uc_err error = uc_reg_write(engine, UC_ARM64_REG_CP_REG, &scr_el3);
  return error != UC_ERR_OK ? error : uc_reg_write(engine, UC_ARM64_REG_CP_REG, &hcr_el2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: core_bare IMAGE\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
  if (image.size() < kStopOffset + 8) {
    std::fprintf(stderr, "core_bare: %s: cannot be read\n", argv[1]);
    return 2;
  }
  std::uint64_t stop = 0;
  std::memcpy(&stop, image.data() + kStopOffset, sizeof stop);

  uc_engine* engine = nullptr;
  std::uint64_t result = 0;
  if (failed(uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &engine), "starting") ||
      failed(uc_ctl_set_cpu_model(engine, UC_CPU_ARM64_A57), "the CPU model")) {
    return 1;
  }
  uc_ctl_set_page_size(engine, 4096);  // Versions before 2.1.2 refuse, and use 1 KiB.
  if (failed(uc_mem_map(engine, kRam, kRamBytes, UC_PROT_ALL), "RAM") ||
      failed(uc_mem_write(engine, kImage, image.data(), image.size()), "the image") ||
      failed(prepare(engine), "system registers") ||
      failed(uc_emu_start(engine, kImage, kImage + stop, 0, 0), "running") ||
      failed(uc_reg_read(engine, UC_ARM64_REG_X0, &result), "X0")) {
    return 1;
  }
  std::printf("0x%llx\n", static_cast<unsigned long long>(result));
  uc_close(engine);
}
