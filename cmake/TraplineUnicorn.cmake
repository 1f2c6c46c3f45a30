# Defines the target trapline_unicorn from the system's Unicorn, or from TRAPLINE_UNICORN_ROOT, which
# may be a source tree or an install prefix (Debian's packages unpacked into a folder will do).
set(TRAPLINE_UNICORN_MINIMUM 2.1.1)
add_library(trapline_unicorn INTERFACE)

if(TRAPLINE_UNICORN_ROOT AND EXISTS "${TRAPLINE_UNICORN_ROOT}/CMakeLists.txt")
  set(UNICORN_ARCH aarch64 CACHE STRING "" FORCE)
  set(UNICORN_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  set(UNICORN_INSTALL OFF CACHE BOOL "" FORCE)
  set(BUILD_SHARED_LIBS OFF)
  add_subdirectory("${TRAPLINE_UNICORN_ROOT}" unicorn EXCLUDE_FROM_ALL)
  target_link_libraries(trapline_unicorn INTERFACE unicorn)
elseif(TRAPLINE_UNICORN_ROOT)
  find_path(TRAPLINE_UNICORN_INCLUDE unicorn/unicorn.h
            PATHS "${TRAPLINE_UNICORN_ROOT}" PATH_SUFFIXES include usr/include
            NO_DEFAULT_PATH REQUIRED NO_CACHE)
  find_library(TRAPLINE_UNICORN_LIBRARY unicorn PATHS "${TRAPLINE_UNICORN_ROOT}"
               PATH_SUFFIXES lib lib64 usr/lib usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}
                             lib/${CMAKE_LIBRARY_ARCHITECTURE}
               NO_DEFAULT_PATH REQUIRED NO_CACHE)
  target_include_directories(trapline_unicorn SYSTEM INTERFACE "${TRAPLINE_UNICORN_INCLUDE}")
  target_link_libraries(trapline_unicorn INTERFACE "${TRAPLINE_UNICORN_LIBRARY}")
else()
  pkg_check_modules(unicorn REQUIRED IMPORTED_TARGET unicorn>=${TRAPLINE_UNICORN_MINIMUM})
  target_link_libraries(trapline_unicorn INTERFACE PkgConfig::unicorn)
endif()
