// A second, slow translation to hold the first one against: one access at a time, nothing cached,
// level ranges and start levels spelt out as in the tables of DDI 0487 D8.2 instead of computed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "sim/cpu/vmsa.h"

namespace trapline::oracle {

struct Answer {
  std::optional<Fault> fault;
  PhysAddr pa = 0;
  unsigned attr = 0;  ///< MAIR encoding.
  unsigned sh = 0;    ///< 0, 2 or 3.
  bool non_global = false;
};

class Translator {
 public:
  Translator(Regime regime, const TranslationControls& c, PhysicalMemory& memory)
      : regime_(regime), c_(c), f_(c.features), memory_(memory) {}

  Answer translate(const TranslationRequest& r) {
    Answer a = stage1(r);
    const bool vm = field(c_.hcr_el2, 0) || field(c_.hcr_el2, 12);
    if (a.fault || r.stage1_only || regime_ != Regime::el1_0 || !vm) return a;
    const bool dirty = !r.is_at && !r.debug;
    Answer b = stage2(a.pa, r.kind, r.privileged, false, !r.debug, dirty);
    if (b.fault) return b;
    combine(a, b);
    a.pa = b.pa;
    return a;
  }

 private:
  using Word = std::uint64_t;
  struct Range {
    int high, low;
  };

  static Word field(Word w, int high, int low) {
    Word out = 0;
    for (int i = high; i >= low; --i) out = out * 2 + ((w >> i) & 1);
    return out;
  }
  static bool field(Word w, int i) { return (w >> i) & 1; }
  static Fault fail(FaultKind kind, int level) {
    return Fault{kind, static_cast<std::uint8_t>(level)};
  }

  // Which address bits index the table of a level, per granule. -1: no such level.
  static Range index_range(int granule_kb, int level) {
    static constexpr Range k4[] = {{47, 39}, {38, 30}, {29, 21}, {20, 12}};
    static constexpr Range k16[] = {{47, 47}, {46, 36}, {35, 25}, {24, 14}};
    static constexpr Range k64[] = {{-1, -1}, {47, 42}, {41, 29}, {28, 16}};
    return granule_kb == 4 ? k4[level] : granule_kb == 16 ? k16[level] : k64[level];
  }
  static int stage1_start(int granule_kb, int txsz) {
    if (granule_kb == 4) return txsz <= 24 ? 0 : txsz <= 33 ? 1 : txsz <= 42 ? 2 : 3;
    if (granule_kb == 16) return txsz <= 16 ? 0 : txsz <= 27 ? 1 : txsz <= 38 ? 2 : 3;
    return txsz <= 21 ? 1 : txsz <= 34 ? 2 : 3;
  }
  bool has_granule(int kb) const {
    return kb == 4 ? f_.granule_4k : kb == 16 ? f_.granule_16k : kb == 64 && f_.granule_64k;
  }
  int granule(int encoded_kb) const {
    if (has_granule(encoded_kb)) return encoded_kb;
    for (int kb : {4, 16}) {
      if (has_granule(kb)) return kb;
    }
    return 64;
  }
  int max_txsz(int kb) const { return !f_.ttst ? 39 : kb == 64 ? 47 : 48; }
  int out_bits(Word ps) const {
    static constexpr int kBits[] = {32, 36, 40, 42, 44, 48, 48, 48};
    return std::min<int>(kBits[ps], f_.pa_bits);
  }
  static Word swapped(Word w) {
    Word out = 0;
    for (int i = 0; i < 8; ++i) out |= ((w >> (8 * i)) & 0xFF) << (56 - 8 * i);
    return out;
  }

  struct Walk {
    int kb, start, ia_size, oa_size;
    Word base;
    bool big_endian;
  };
  struct Found {
    std::optional<Fault> fault;
    Word descriptor = 0, where_pa = 0, where = 0;
    int level = 0;
    bool table_ro = false, table_priv = false, table_uxn = false, table_pxn = false;
    Word output(Word ia, int kb) const {
      const int low = index_range(kb, level).low;
      return (field(descriptor, 47, low) << low) + field(ia, low - 1, 0);
    }
  };

  // `translated` walks run in the IPA space.
  Found walk(const Walk& w, Word ia, bool translated) {
    Found out;
    const int entries_log2 = w.ia_size - index_range(w.kb, w.start).low;
    Word table = w.base & ~((Word{8} << entries_log2) - 1);
    if (table >> w.oa_size) {
      out.fault = fail(FaultKind::address_size, 0);
      return out;
    }
    for (int level = w.start; level <= 3; ++level) {
      Range range = index_range(w.kb, level);
      if (level == w.start) range.high = w.ia_size - 1;
      out.level = level;
      out.where = out.where_pa = table + 8 * field(ia, range.high, range.low);
      if (translated) {
        Answer at = stage2(out.where, AccessKind::read, true, true, updates_, updates_);
        if (at.fault) {
          out.fault = at.fault;
          return out;
        }
        out.where_pa = at.pa;
      }
      Word raw = 0;
      if (!memory_.read64(out.where_pa, raw)) {
        out.fault = fail(FaultKind::external_on_walk, level);
        return out;
      }
      const Word d = w.big_endian ? swapped(raw) : raw;
      const bool block_here = level == 2 || (level == 1 && w.kb == 4);
      if ((d & 1) == 0 || (level == 3 && !(d & 2)) || (level < 3 && !(d & 2) && !block_here)) {
        out.fault = fail(FaultKind::translation, level);
        return out;
      }
      if (level == 3 || !(d & 2)) {
        out.descriptor = d;
        if ((field(d, 47, range.low) << range.low) >> w.oa_size) {
          out.fault = fail(FaultKind::address_size, level);
        }
        return out;
      }
      const int low = w.kb == 4 ? 12 : w.kb == 16 ? 14 : 16;
      table = field(d, 47, low) << low;
      if (table >> w.oa_size) {
        out.fault = fail(FaultKind::address_size, level);
        return out;
      }
      out.table_pxn |= field(d, 59);
      out.table_uxn |= field(d, 60);
      out.table_priv |= field(d, 61);
      out.table_ro |= field(d, 62);
    }
    return out;
  }

  // Writes a descriptor back. A fault where memory refuses.
  std::optional<Fault> write_back(Word pa, bool big_endian, Word from, Word to, int level) {
    const Word a = big_endian ? swapped(from) : from, b = big_endian ? swapped(to) : to;
    if (memory_.compare_and_swap64(pa, a, b) == PhysicalMemory::Swap::done) return std::nullopt;
    return fail(FaultKind::external_on_walk, level);
  }

  Answer stage1_off(const TranslationRequest& r, bool tbi) {
    Answer a;
    const Word address = tbi ? r.va & 0x00FF'FFFF'FFFF'FFFF : r.va;
    if (address >> f_.pa_bits) {
      a.fault = fail(FaultKind::address_size, 0);
      return a;
    }
    a.pa = address;
    const bool cacheable = regime_ == Regime::el1_0 && field(c_.hcr_el2, 12);
    a.attr = cacheable ? 0xFF : 0;
    a.sh = cacheable ? 0 : 2;
    return a;
  }

  struct Tcr {
    int txsz, kb;
    Word ps;
    bool epd, tbi, hpd, ha, hd;
  };
  Tcr tcr(const TranslationRequest& r) const {
    const Word t = c_.tcr;
    const int kTg0[] = {4, 64, 16, 0}, kTg1[] = {0, 16, 4, 64};
    const bool tbid = r.kind == AccessKind::fetch && f_.pauth;
    Tcr x{};
    if (regime_ == Regime::el2) {
      x = {int(field(t, 5, 0)),
           kTg0[field(t, 15, 14)],
           field(t, 18, 16),
           false,
           field(t, 20) && !(tbid && field(t, 29)),
           field(t, 24),
           field(t, 21),
           field(t, 22)};
    } else if (field(r.va, 55)) {
      x = {int(field(t, 21, 16)),
           kTg1[field(t, 31, 30)],
           field(t, 34, 32),
           field(t, 23),
           field(t, 38) && !(tbid && field(t, 52)),
           field(t, 42),
           field(t, 39),
           field(t, 40)};
    } else {
      x = {int(field(t, 5, 0)),
           kTg0[field(t, 15, 14)],
           field(t, 34, 32),
           field(t, 7),
           field(t, 37) && !(tbid && field(t, 51)),
           field(t, 41),
           field(t, 39),
           field(t, 40)};
    }
    x.kb = granule(x.kb);
    x.hpd = x.hpd && f_.hpd;
    x.ha = x.ha && f_.af;
    x.hd = x.hd && x.ha && f_.dirty;
    return x;
  }

  // Table "Stage 1 data access permissions" and its execute-never companions.
  bool stage1_allows(const TranslationRequest& r, const Found& w, const Tcr& t) const {
    const Word d = w.descriptor;
    const bool managed = t.hd && field(d, 51);
    const bool ro = (field(d, 7) && !managed) || (!t.hpd && w.table_ro);
    const bool uxn = field(d, 54) || (!t.hpd && w.table_uxn);
    const bool pxn = field(d, 53) || (!t.hpd && w.table_pxn);
    const bool wxn = field(c_.sctlr, 19);
    if (regime_ == Regime::el2) {
      if (r.kind == AccessKind::read) return true;
      if (r.kind == AccessKind::write) return !ro;
      return !uxn && !(wxn && !ro);
    }
    const bool user = field(d, 6) && !(!t.hpd && w.table_priv);
    if (r.kind == AccessKind::fetch) {
      if (!r.privileged) return !uxn && !(wxn && user && !ro);
      return !pxn && !(user && !ro) && !(wxn && !ro);
    }
    if (!r.privileged) return user && (r.kind == AccessKind::read || !ro);
    const bool user_executes = !uxn && f_.epan && field(c_.sctlr, 57);
    if (r.pan && (user || user_executes)) return false;
    return r.kind == AccessKind::read || !ro;
  }

  Answer stage1(const TranslationRequest& r) {
    updates_ = !r.debug;
    const Tcr t = tcr(r);
    bool on = field(c_.sctlr, 0);
    if (regime_ == Regime::el1_0 && (field(c_.hcr_el2, 27) || field(c_.hcr_el2, 12))) on = false;
    if (!on) return stage1_off(r, t.tbi);
    Answer a;
    const bool upper = regime_ != Regime::el2 && field(r.va, 55);
    bool in_range = t.txsz >= 16 && t.txsz <= max_txsz(t.kb) && !t.epd;
    for (int i = 64 - t.txsz; in_range && i <= (t.tbi ? 55 : 63); ++i) {
      in_range = field(r.va, i) == upper;
    }
    if (!in_range) {
      a.fault = fail(FaultKind::translation, 0);
      return a;
    }
    const Word ttbr = upper ? c_.ttbr1 : c_.ttbr0;
    const bool nested = regime_ == Regime::el1_0 && (field(c_.hcr_el2, 0) || field(c_.hcr_el2, 12));
    const Walk w{t.kb,           stage1_start(t.kb, t.txsz),   64 - t.txsz,
                 out_bits(t.ps), ttbr & 0x0000'FFFF'FFFF'FFFE, field(c_.sctlr, 25)};
    const Word ia = field(r.va, 63 - t.txsz, 0);
    const Found found = walk(w, ia, nested);
    a.fault = found.fault;
    if (a.fault) return a;
    if (!field(found.descriptor, 10) && !t.ha) a.fault = fail(FaultKind::access_flag, found.level);
    if (!a.fault && !stage1_allows(r, found, t)) {
      a.fault = fail(FaultKind::permission, found.level);
    }
    if (!a.fault && !r.debug) a.fault = stage1_update(r, found, t, nested, w.big_endian);
    if (a.fault) return a;
    a.pa = found.output(ia, t.kb);
    a.non_global = regime_ != Regime::el2 && field(found.descriptor, 11);
    const int index = int(field(found.descriptor, 4, 2));
    a.attr = unsigned(field(c_.mair, 8 * index + 7, 8 * index));
    if (a.attr >= 16 && !field(c_.sctlr, 2)) a.attr = 0x44;
    a.sh = unsigned(field(found.descriptor, 9, 8));
    if (a.sh == 1) a.sh = 0;
    if (a.attr < 16 || a.attr == 0x44) a.sh = 2;
    return a;
  }

  std::optional<Fault> stage1_update(const TranslationRequest& r, const Found& found, const Tcr& t,
                                     bool nested, bool big_endian) {
    Word to = found.descriptor;
    if (t.ha) to |= Word{1} << 10;
    if (t.hd && field(to, 51) && r.kind == AccessKind::write && !r.is_at) to &= ~(Word{1} << 7);
    if (to == found.descriptor) return std::nullopt;
    if (nested) {
      const Answer at = stage2(found.where, AccessKind::write, true, true, true, true);
      if (at.fault) return at.fault;
    }
    return write_back(found.where_pa, big_endian, found.descriptor, to, found.level);
  }

  // Which input sizes each start level can resolve with up to 16 concatenated tables.
  bool stage2_shape(int kb, Word sl0, int ia_size, int& start) const {
    const int kStart4[] = {2, 1, 0, 3}, kStart[] = {3, 2, 1, -1};
    start = kb == 4 ? kStart4[sl0] : kStart[sl0];
    const Range k4[] = {{52, 40}, {43, 31}, {34, 22}, {25, 13}};
    const Range k16[] = {{0, 1}, {51, 37}, {40, 26}, {29, 15}};
    const Range k64[] = {{0, 1}, {59, 43}, {46, 30}, {33, 17}};
    if (start < 0) return false;
    if (kb == 4 && start == 3 && !f_.ttst) return false;
    if (kb == 4 && start == 0 && f_.pa_bits < 44) return false;
    if (kb == 16 && start == 1 && f_.pa_bits < 42) return false;
    if (kb == 64 && start == 1 && f_.pa_bits < 44) return false;
    const Range fits = kb == 4 ? k4[start] : kb == 16 ? k16[start] : k64[start];
    return ia_size >= fits.low && ia_size <= fits.high;
  }

  bool stage2_allows(AccessKind kind, bool privileged, Word d, bool managed) const {
    if (kind == AccessKind::read) return field(d, 6);
    if (kind == AccessKind::write) return field(d, 7) || managed;
    if (!f_.xnx) return !field(d, 54);
    static constexpr bool kEl1[] = {true, false, false, true}, kEl0[] = {true, true, false, false};
    return privileged ? kEl1[field(d, 54, 53)] : kEl0[field(d, 54, 53)];
  }

  Answer stage2(Word ipa, AccessKind kind, bool privileged, bool of_walk, bool set_af,
                bool set_dirty) {
    Answer a;
    const auto failing = [&](Fault fault, bool device = false) {
      fault.stage2 = true;
      fault.s1ptw = of_walk;
      fault.on_update = of_walk && kind == AccessKind::write;
      fault.device_walk = device;
      fault.ipa = ipa;
      a.fault = fault;
      return a;
    };
    const Word v = c_.vtcr_el2;
    const int kTg0[] = {4, 64, 16, 0};
    const int kb = granule(kTg0[field(v, 15, 14)]), t0sz = int(field(v, 5, 0));
    int start = 0;
    if (t0sz < std::max(16, 64 - f_.pa_bits) || t0sz > max_txsz(kb) ||
        !stage2_shape(kb, field(v, 7, 6), 64 - t0sz, start) || ipa >> (64 - t0sz)) {
      return failing(fail(FaultKind::translation, 0));
    }
    const Walk w{kb,
                 start,
                 64 - t0sz,
                 out_bits(field(v, 18, 16)),
                 c_.vttbr_el2 & 0x0000'FFFF'FFFF'FFFE,
                 field(c_.sctlr_el2, 25)};
    const Found found = walk(w, ipa, false);
    if (found.fault) return failing(*found.fault);
    const Word d = found.descriptor;
    const bool ha = f_.af && field(v, 21), hd = ha && f_.dirty && field(v, 22);
    if (!field(d, 10) && !ha) return failing(fail(FaultKind::access_flag, found.level));
    const bool fwb = f_.s2fwb && field(c_.hcr_el2, 46);
    const bool device = fwb ? !field(d, 4) : field(d, 5, 4) == 0;
    if (of_walk && device && field(c_.hcr_el2, 2)) {
      return failing(fail(FaultKind::permission, found.level), true);
    }
    const bool managed = hd && field(d, 51);
    if (!stage2_allows(kind, privileged, d, managed)) {
      return failing(fail(FaultKind::permission, found.level));
    }
    Word to = d;
    if (ha && set_af) to |= Word{1} << 10;
    if (managed && kind == AccessKind::write && set_dirty) to |= Word{1} << 7;
    if (to != d) {
      if (auto fault = write_back(found.where, w.big_endian, d, to, found.level)) {
        return failing(*fault);
      }
    }
    a.pa = found.output(ipa, kb);
    a.attr = unsigned(field(d, 5, 2));  // Still stage 2's MemAttr.
    a.sh = unsigned(field(d, 9, 8));
    if (a.sh == 1) a.sh = 0;
    return a;
  }

  // Cacheability as strength: 0 Non-cacheable, 1 Write-Through, 2 Write-Back.
  static int strength(unsigned nibble) { return nibble == 4 ? 0 : nibble & 4 ? 2 : 1; }
  static unsigned weaken(unsigned nibble, int to) {
    if (to >= strength(nibble)) return nibble;
    return to == 0 ? 4 : nibble - 4;
  }

  void combine(Answer& a, const Answer& s2) const {
    const bool fwb = f_.s2fwb && field(c_.hcr_el2, 46);
    const unsigned m = s2.attr;
    const bool s1_device = a.attr < 16;
    const bool s2_device = fwb ? (m & 4) == 0 : m < 4;
    if (s2_device) {
      const unsigned type = (m & 3) << 2;
      a.attr = s1_device ? std::min(a.attr & 0xC, type) : type;
    } else if (fwb) {
      const auto forced = [](unsigned n) { return n == 4 ? 15 : strength(n) == 1 ? n + 4 : n; };
      if ((m & 3) == 2) a.attr = s1_device ? 0xFF : forced(a.attr >> 4) << 4 | forced(a.attr & 15);
      if ((m & 3) < 2 && !s1_device) a.attr = 0x44;
    } else if (!s1_device) {
      const int outer = int(m >> 2) - 1, inner = std::max(0, int(m & 3) - 1);
      a.attr = weaken(a.attr >> 4, outer) << 4 | weaken(a.attr & 15, inner);
    }
    if (a.sh == 2 || s2.sh == 2) {
      a.sh = 2;
    } else {
      a.sh = a.sh == 3 || s2.sh == 3 ? 3 : 0;
    }
    if (a.attr < 16 || a.attr == 0x44) a.sh = 2;
  }

  Regime regime_;
  const TranslationControls& c_;
  const TranslationFeatures& f_;
  PhysicalMemory& memory_;
  bool updates_ = true;
};

}  // namespace trapline::oracle
