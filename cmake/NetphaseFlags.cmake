# np_flags: what every target of this project is compiled with.
add_library(np_flags INTERFACE)
target_compile_features(np_flags INTERFACE c_std_11)
set(CMAKE_C_EXTENSIONS ON)
# A shared libnetphase-trace must show libnetphase what lies below it; its version script (NetphaseExports.cmake) then says what is public.
if(NOT BUILD_SHARED_LIBS)
  set(CMAKE_C_VISIBILITY_PRESET hidden)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_compile_definitions(np_flags INTERFACE _GNU_SOURCE NP_VERSION="${PROJECT_VERSION}")
target_compile_options(np_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith
  -Wcast-qual -fno-omit-frame-pointer)
if(NP_WERROR)
  target_compile_options(np_flags INTERFACE -Werror)
endif()

# np_flags_lib: the libraries and programs are also held to -Wconversion (Criterion's macros are not).
add_library(np_flags_lib INTERFACE)
target_link_libraries(np_flags_lib INTERFACE np_flags)
target_compile_options(np_flags_lib INTERFACE -Wconversion -Wno-sign-conversion)

if(NP_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(NP_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()

# Optimised across files: the libraries, the programs and the benchmarks. Their objects hold plain code as well, with which the
# tests are linked: a hundred of them would each be optimised anew.
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

# np_floor(NAME SOURCES ... BELOW targets...): one floor of the library as an object library. Its own
# folder is on the include path of itself and of the floors above, so that an include which points
# upwards does not find its header.
function(np_floor name)
  cmake_parse_arguments(F "" "" "SOURCES;BELOW;PACKAGES" ${ARGN})
  add_library(${name} OBJECT ${F_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}"
                                            "${PROJECT_SOURCE_DIR}/lib/include")
  target_link_libraries(${name} PUBLIC ${F_BELOW} ${F_PACKAGES} PRIVATE np_flags_lib)
endfunction()
