# Each byte is a string literal of its own, so that bytes above 127 are chars without a conversion.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\"\\\\x\\1\"" bytes "${hex}")
string(REPLACE "\"\\x0a\"" "\"\\x0a\"\n" bytes "${bytes}")
file(WRITE "${OUT}" "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] =\n\"\"\n${bytes};\n")
