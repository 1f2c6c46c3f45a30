// The registers of both MPUs of a PE, and what its telemetry makes of them.
#include "models/mpu/mpu.h"
#include "sim/report/mpu_usage.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class MpuRig final : public fuzz::Rig {
 public:
  explicit MpuRig(const MpuConfig& config)
      : mpu_(config, 0, this, [](const std::string&) {}) {
    ports = {&mpu_};
    other = [this](std::uint8_t what) {
      if (what & 1) mpu_.set_vmsa_at_el1(what & 2);
      if (what & 4) mpu_.clear_changes();
      answers.push_back(mpu_.generation());
      answers.push_back(mpu_.changes(what & 8 ? El::el2 : El::el1).size());
    };
  }
  void on_event(const Event& event) override {
    fuzz::Rig::on_event(event);
    usage_.on_event(event);
  }
  ~MpuRig() override {
    usage_.finish();
    mpu_table(usage_);
  }

 private:
  MpuUsage usage_;
  Mpu mpu_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  MpuConfig config;
  config.el1_regions = input.byte();
  config.el2_regions = input.byte();
  config.el2 = input.byte() & 1;
  const auto rest = input.rest();
  fuzz::play_twice(rest.data(), rest.size(), [&] { return std::make_unique<MpuRig>(config); });
  return 0;
}
