# One function a kind of target, so that every folder's CMakeLists.txt is a list of names.
include(GNUInstallDirs)

add_library(trapline_flags INTERFACE)
target_compile_features(trapline_flags INTERFACE cxx_std_20)
target_compile_options(trapline_flags INTERFACE -Wall -Wextra -Werror)
# GCC 12 warns of overlaps in std::string's own operator+ (GCC bug 105651).
target_compile_options(trapline_flags INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_include_directories(trapline_flags INTERFACE "${CMAKE_SOURCE_DIR}")
if(TRAPLINE_SANITIZE)
  target_compile_options(trapline_flags INTERFACE -fsanitize=${TRAPLINE_SANITIZE}
                                                  -fno-omit-frame-pointer)
  target_link_options(trapline_flags INTERFACE -fsanitize=${TRAPLINE_SANITIZE})
  # The sanitizers' own code makes GCC see uninitialized variables in the standard library's headers
  # (GCC manual, -fsanitize).
  target_compile_options(trapline_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

if(TRAPLINE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TRAPLINE_FUZZ needs clang (scripts/setup --fuzz; cmake --preset fuzz)")
  endif()
  target_compile_options(trapline_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# trapline_library(NAME SOURCES a.cpp ... [DEPS other ...] [PRIVATE_DEPS lib ...])
function(trapline_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC trapline_flags ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE trapline_flags ${ARG_DEPS})
  endif()
endfunction()

# trapline_test(NAME_test LABEL unit DEPS ...): NAME_test.cpp in the calling folder.
function(trapline_test name)
  cmake_parse_arguments(ARG "" "LABEL" "DEPS" ${ARGN})
  add_executable(${name} ${name}.cpp)
  target_link_libraries(${name} PRIVATE trapline_flags ${ARG_DEPS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL})
endfunction()
