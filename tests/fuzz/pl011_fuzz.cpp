// The UART, with bytes coming in.
#include "models/uart/pl011.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class Pl011Rig final : public fuzz::Rig, private CharacterPort {
 public:
  explicit Pl011Rig(const Pl011Options& options)
      : uart_("uart", irq_, *this, timeline, this, 0, 24'000'000, options) {
    frames = {{&uart_, 0x1000}};
    outputs = {&irq_};
    other = [this](std::uint8_t byte) {
      switch (byte & 3) {
        case 0:
          answers.push_back(uart_.receive(byte));
          break;
        case 1:
          uart_.receive_frame(byte, byte & 4 ? Pl011::kFramingError : Pl011::kParityError);
          break;
        case 2:
          uart_.receive_break();
          break;
        default:
          uart_.set_modem_inputs({(byte & 4) != 0, (byte & 8) != 0, (byte & 16) != 0,
                                  (byte & 32) != 0});
      }
    };
  }

 private:
  void transmit(std::uint8_t byte) override { answers.push_back(byte); }

  Line irq_;
  Pl011 uart_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t shape = input.byte();
  const Pl011Options options{shape & 1 ? Pl011Options::Transmit::at_baud_rate
                                       : Pl011Options::Transmit::immediate,
                             (shape & 2) != 0};
  const auto rest = input.rest();
  fuzz::play_twice(rest.data(), rest.size(), [&] { return std::make_unique<Pl011Rig>(options); });
  return 0;
}
