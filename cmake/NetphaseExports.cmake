# What a shared library shows. The public names are those that the headers declare with NP_API; everything else named np_* is
# there for the other library of the same version (node NETPHASE_PRIVATE) and promised to nobody.

# np_public_names(OUT header...): every function that the headers declare with NP_API.
function(np_public_names out)
  set(names "")
  foreach(header IN LISTS ARGN)
    file(READ "${header}" text)
    string(REGEX MATCHALL "\nNP_API [^;(]*[ *](np_[a-z0-9_]+)\\(" found "${text}")
    foreach(declaration IN LISTS found)
      string(REGEX REPLACE ".*[ *](np_[a-z0-9_]+)\\($" "\\1" name "${declaration}")
      list(APPEND names "${name}")
    endforeach()
  endforeach()
  list(SORT names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# np_export(TARGET header...): gives a shared library its version script; nothing to do for a static one.
function(np_export target)
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL "SHARED_LIBRARY")
    return()
  endif()
  np_public_names(names ${ARGN})
  list(JOIN names ";\n    " lines)
  set(map "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(CONFIGURE OUTPUT "${map}" CONTENT
"NETPHASE_0 {
  global:
    @lines@;
};
NETPHASE_PRIVATE {
  global:
    np_*;
  local:
    *;
};
")
  target_link_options(${target} PRIVATE "LINKER:--version-script=${map}")
  set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 LINK_DEPENDS "${map}")
endfunction()
