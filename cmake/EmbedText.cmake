# np_embed_text(TARGET FILE SYMBOL): FILE becomes `const char SYMBOL[]` (NUL-terminated) in a generated
# source of TARGET; declare it `extern const char SYMBOL[];` where it is used.
function(np_embed_text target file symbol)
  set(out "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c")
  add_custom_command(
    OUTPUT "${out}"
    COMMAND "${CMAKE_COMMAND}" -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol}
            -P "${PROJECT_SOURCE_DIR}/cmake/embed_text_run.cmake"
    DEPENDS "${file}" "${PROJECT_SOURCE_DIR}/cmake/embed_text_run.cmake"
    VERBATIM)
  target_sources(${target} PRIVATE "${out}")
endfunction()
