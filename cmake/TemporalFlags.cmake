# Warnings of our own code, and the sanitizers; `temporal_flags` is linked by every target of ours.
add_library(temporal_flags INTERFACE)
target_compile_options(temporal_flags INTERFACE
	-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual -Wmissing-prototypes -Wvla
	-Wno-unused-parameter -fno-common -ffunction-sections -fdata-sections)
target_compile_definitions(temporal_flags INTERFACE _GNU_SOURCE)
if(TEMPORAL_WERROR)
	target_compile_options(temporal_flags INTERFACE -Werror)
endif()
if(TEMPORAL_SANITIZE)
	add_compile_options(-fsanitize=${TEMPORAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${TEMPORAL_SANITIZE})
endif()
if(TEMPORAL_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
