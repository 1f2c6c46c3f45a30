# Shared by the scripts of this folder; sourced, never run. Bash.
# shellcheck shell=bash disable=SC2034

TRAPLINE_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TRAPLINE_CACHE=${TRAPLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trapline}
DEBIAN_KEYRINGS=(/usr/share/keyrings/debian-archive-keyring.{pgp,gpg})

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Runs a command as root: directly, or through sudo where the caller is somebody else.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root or sudo to run: $*"
  fi
}

# Prints "12", "13", ... ; Debian testing and unstable have no number and count as newer than any.
debian_release() {
  local id version
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && echo "${ID:-unknown}")
  [ "$id" = debian ] || die "this is $id, not Debian 12 or newer: install the packages listed in" \
    "scripts/setup by hand and build with cmake --preset release (README, \"Other systems\")"
  # shellcheck disable=SC1091
  version=$(. /etc/os-release && echo "${VERSION_ID:-99}")
  echo "$version"
}

debian_codename() {
  # shellcheck disable=SC1091
  (. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
}

# Every enabled stanza of apt's configuration that looks like the Debian archive itself, with its
# suites replaced by $1, its components by main and its architectures dropped; one stanza after an
# empty line each. Mirror, signing key (inline ones too) and other options stay as the machine has
# them, so a derived source goes wherever the machine's own goes. Both of apt's formats are read and
# deb822 is written.
derived_stanzas() {
  local suite=$1 file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] && case $file in */trapline*) ;; *) derive_from_deb822 "$suite" "$file" ;; esac
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] && case $file in */trapline*) ;; *) derive_from_lines "$suite" "$file" ;; esac
  done
  return 0
}

derive_from_deb822() {
  awk -v suite="$1" -v own="$(debian_codename)" '
    function flush(   i) {
      if (is_deb && enabled && ours && debian && has_main) {
        printf "\nTypes: deb\nSuites: %s\nComponents: main\n", suite
        for (i = 1; i <= n; i++) print kept[i]
      }
      n = 0; is_deb = 0; enabled = 1; ours = 0; debian = 0; has_main = 0; keep = 0
    }
    BEGIN { n = 0; enabled = 1 }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[ \t]/ { if (keep) kept[++n] = $0; next }
    {
      key = tolower($0); sub(/:.*/, "", key)
      value = $0; sub(/^[^:]*:[ \t]*/, "", value)
      keep = 0
      padded = " " value " "
      if (key == "types") is_deb = padded ~ / deb /
      else if (key == "enabled") enabled = tolower(value) !~ /^(no|false|0|off|without|disable)/
      else if (key == "suites")
        ours = index(padded, " " own " ") || padded ~ / (stable|oldstable|testing|unstable) /
      else if (key == "components") has_main = padded ~ / main /
      else if (key == "architectures" || key == "description") { }
      else {
        if (key == "uris") debian = value ~ /\/debian([\/. \t]|$)/ && value !~ /security/
        keep = 1
        kept[++n] = $0
      }
    }
    END { flush() }' "$2"
}

# A one-line entry's options map to deb822 fields; only those that decide where to fetch count.
derive_from_lines() {
  awk -v suite="$1" -v own="$(debian_codename)" '
    $1 == "deb" {
      line = $0
      options = ""
      if (match(line, /\[[^]]*\]/)) {
        options = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
      }
      sub(/#.*/, "", line)
      fields = split(line, field, /[ \t]+/)
      has_main = 0
      for (i = 4; i <= fields; i++) if (field[i] == "main") has_main = 1
      if (field[3] != own && field[3] !~ /^(stable|oldstable|testing|unstable)$/) next
      if (!has_main || field[2] !~ /\/debian([\/.]|$)/ || field[2] ~ /security/) next
      printf "\nTypes: deb\nURIs: %s\nSuites: %s\nComponents: main\n", field[2], suite
      count = split(options, option, /[ \t]+/)
      for (i = 1; i <= count; i++) {
        if (option[i] ~ /^signed-by=/) printf "Signed-By: %s\n", substr(option[i], 11)
        if (option[i] ~ /^trusted=/) printf "Trusted: %s\n", substr(option[i], 9)
      }
    }' "$2"
}

# derive_source SUITE > file.sources: the best stanza for SUITE, signed by Debian's archive key
# unless the machine's own entry names a key.
derive_source() {
  local suite=$1 stanza keyring
  stanza=$(derived_stanzas "$suite" | awk '/^$/ { if (seen) exit; next } { seen = 1; print }')
  [ -n "$stanza" ] || die "no entry of this machine's apt configuration for the Debian archive" \
    "(suite $(debian_codename), component main) to derive one for $suite from"
  printf '%s\n' "$stanza"
  if ! grep -qiE '^(Signed-By|Trusted):' <<<"$stanza"; then
    for keyring in "${DEBIAN_KEYRINGS[@]}"; do
      [ -r "$keyring" ] && { printf 'Signed-By: %s\n' "$keyring"; break; }
    done
  fi
  return 0
}

# The Release files' signatures are checked by apt, as always; nothing here weakens that.
# private_apt DIR ARCH COMMAND...: an apt command that sees only DIR's sources and state.
private_apt() {
  local dir=$1 arch=$2
  shift 2
  local tool=$1
  shift
  "$tool" -q \
    -o Dir::Etc::sourcelist=/dev/null \
    -o Dir::Etc::sourceparts="$dir/etc" \
    -o Dir::Etc::preferences=/dev/null \
    -o Dir::Etc::preferencesparts="$dir/preferences" \
    -o Dir::State="$dir/state" \
    -o Dir::State::status="$dir/state/status" \
    -o Dir::Cache="$dir/cache" \
    -o APT::Architecture="$arch" \
    -o APT::Architectures="$arch" \
    -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Languages=none \
    -o Acquire::Retries=3 \
    "$@"
}

private_apt_prepare() {
  local dir=$1
  mkdir -p "$dir"/{etc,preferences,state/lists/partial,cache/archives/partial}
  : >"$dir/state/status"
}

# build_preset PRESET [TARGET...]: configures once, then builds. Progress goes to standard error,
# for standard output belongs to the caller's own result.
build_preset() {
  local preset=$1 target options=()
  shift
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  for target; do options+=(--target "$target"); done
  (
    cd "$TRAPLINE_TOP" || exit
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" || exit
    cmake --build --preset "$preset" "${options[@]}"
  ) >&2
}
