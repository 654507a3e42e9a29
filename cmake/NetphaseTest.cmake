# What tools/test builds under the sanitizers, where not every test is run again.
add_custom_target(tests_logic)  # labels unit, property, contract
add_custom_target(tests_stress) # label stress

# np_test(NAME [LABEL label] SOURCES file... LINK target...): a Criterion program that is one CTest test.
# LINK takes floors (np_trace, np_store, np_engine …); their objects come along.
function(np_test name)
  cmake_parse_arguments(T "" "LABEL" "SOURCES;LINK;PACKAGES" ${ARGN})
  if(NOT T_LABEL)
    set(T_LABEL unit)
  endif()
  add_executable(${name} ${T_SOURCES})
  np_link_floors(${name} ${T_LINK})
  target_link_libraries(${name} PRIVATE np_flags PkgConfig::CRITERION ${T_PACKAGES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support")
  target_compile_definitions(${name} PRIVATE NP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" NP_BINARY_DIR="${PROJECT_BINARY_DIR}")
  # Not with --full-stats: it sends a message for every assertion that holds, 10 us each, and says nothing more.
  add_test(NAME ${name} COMMAND ${name})
  if(T_LABEL MATCHES "^(unit|property)$")
    add_dependencies(tests_logic ${name})
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${T_LABEL}" TIMEOUT 300
    FAIL_REGULAR_EXPRESSION "LeakSanitizer: detected;runtime error:;Tested: 0")
endfunction()

# np_stress(NAME SOURCES… LINK…): a plain program; label stress; also what runs under the thread sanitizer.
function(np_stress name)
  cmake_parse_arguments(T "" "" "SOURCES;LINK;PACKAGES;ARGS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  np_link_floors(${name} ${T_LINK})
  target_link_libraries(${name} PRIVATE np_flags ${T_PACKAGES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support")
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  add_dependencies(tests_stress ${name})
  set_tests_properties(${name} PROPERTIES LABELS stress TIMEOUT 300
    FAIL_REGULAR_EXPRESSION "LeakSanitizer: detected;runtime error:;WARNING: ThreadSanitizer")
endfunction()

# Links a program with floors: object files do not travel through other object libraries, so every floor
# below is named as well.
function(np_link_floors target)
  set(all "")
  foreach(floor IN LISTS ARGN)
    if(floor STREQUAL "np_base")
      list(APPEND all np_base)
    elseif(floor STREQUAL "np_trace")
      list(APPEND all np_base np_trace)
    elseif(floor STREQUAL "np_store")
      list(APPEND all np_base np_trace np_store)
    elseif(floor STREQUAL "np_analyze")
      list(APPEND all np_base np_trace np_store np_analyze)
    elseif(floor STREQUAL "np_engine")
      list(APPEND all np_base np_trace np_loop np_dns np_connect np_proxy np_engine)
    elseif(floor STREQUAL "np_request") # with np_engine, or with a fake one
      list(APPEND all np_base np_trace np_loop np_dns np_proxy np_request)
    else()
      list(APPEND all ${floor})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES all)
  target_link_libraries(${target} PRIVATE ${all} m)
endfunction()
