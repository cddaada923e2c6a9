# Tests. `temporal_test(NAME KIND kind [SERVER] [TIMEOUT s] [SERIAL] SOURCES a.c...|SCRIPT a.py|COMMAND ...)`
#   KIND     the label: unit, replay, scenario, interop, ... (ctest -L unit)
#   SOURCES  a cmocka program in C that sees all of the library's functions and test/lib
#   SCRIPT   a Python program; it runs in the Python that has the official SDK
#   SERVER   it is a test against a server: it runs twice, as NAME on temporald and as NAME_real (label KIND_real) on
#            the real server, the shared one of each run or its own
#   SERIAL   it measures time: nothing runs beside it
# A test that leaves with 77 is skipped; its last line says why.
set(TEMPORAL_TEST_PYTHON_DIR ${PROJECT_BINARY_DIR}/test-python CACHE PATH "Where the tests' Python is installed")
set(TEMPORAL_TEST_ENVIRONMENT
	TEMPORAL_TEST_PYTHON=${TEMPORAL_TEST_PYTHON_DIR}/bin/python
	TEMPORAL_TEST_CLI=${TEMPORAL_TEST_PYTHON_DIR}/bin/temporal
	TEMPORAL_TEST_BUILD_DIR=${PROJECT_BINARY_DIR}
	TEMPORAL_TEST_SOURCE_DIR=${PROJECT_SOURCE_DIR}
	PYTHONPATH=${PROJECT_SOURCE_DIR}/test/lib
	PYTHONDONTWRITEBYTECODE=1)
find_program(VALGRIND valgrind)
if(TEMPORAL_VALGRIND AND NOT VALGRIND)
	add_test(NAME valgrind COMMAND sh -c "echo 'skipped: no valgrind on this machine'; exit 77")
	set_tests_properties(valgrind PROPERTIES LABELS valgrind SKIP_RETURN_CODE 77)
endif()
if(TEMPORAL_SANITIZE)
	list(APPEND TEMPORAL_TEST_ENVIRONMENT
		TEMPORAL_TEST_SANITIZED=1
		"ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0:strict_string_checks=1"
		"UBSAN_OPTIONS=print_stacktrace=1"
		"TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0")
endif()

foreach(server temporald real)
	set(TEMPORAL_TEST_SERVER_FILE_${server} ${PROJECT_BINARY_DIR}/test-server/${server})
	set(TEMPORAL_TEST_ENVIRONMENT_${server} ${TEMPORAL_TEST_ENVIRONMENT} TEMPORAL_TEST_SERVER=${server}
		TEMPORAL_TEST_SERVER_FILE=${TEMPORAL_TEST_SERVER_FILE_${server}})
endforeach()

function(temporal_test name)
	cmake_parse_arguments(PARSE_ARGV 1 test "SERVER;SERIAL" "KIND;TIMEOUT;SCRIPT" "SOURCES;COMMAND")
	if(test_SOURCES)
		add_executable(${name} ${test_SOURCES})
		target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/test ${CMAKE_CURRENT_SOURCE_DIR})
		target_link_libraries(${name} PRIVATE temporal_internal test_lib PkgConfig::CMOCKA)
		set(test_COMMAND ${name})
	elseif(test_SCRIPT)
		get_filename_component(script ${test_SCRIPT} ABSOLUTE)
		set(test_COMMAND ${PROJECT_SOURCE_DIR}/test/lib/with-python ${script})
	endif()
	if(NOT test_TIMEOUT)
		set(test_TIMEOUT 300) # of a slow machine on which much else runs
	endif()
	if(test_SERVER)
		temporal_add_test(${name} ${test_KIND} temporald)
		temporal_add_test(${name}_real ${test_KIND}_real real)
	else()
		temporal_add_test(${name} ${test_KIND} "")
	endif()
	# Sweeps over thousands of crashes, runs or series would take minutes there; the address sanitizer sees them.
	if(TEMPORAL_VALGRIND AND VALGRIND AND test_KIND STREQUAL unit AND NOT name MATCHES "_crash$|_store_closed$|_base_metrics$")
		add_test(NAME valgrind_${name} COMMAND ${PROJECT_SOURCE_DIR}/test/lib/with-valgrind
			$<TARGET_FILE:${name}>)
		set_tests_properties(valgrind_${name} PROPERTIES LABELS valgrind TIMEOUT 300 SKIP_RETURN_CODE 77
			ENVIRONMENT "${TEMPORAL_TEST_ENVIRONMENT}")
	endif()
endfunction()

# One run of the test that temporal_test describes, on the server of that name or on none.
macro(temporal_add_test run label server)
	add_test(NAME ${run} COMMAND ${test_COMMAND})
	set(environment ${TEMPORAL_TEST_ENVIRONMENT})
	set(fixtures "")
	if(NOT "${server}" STREQUAL "")
		set(environment ${TEMPORAL_TEST_ENVIRONMENT_${server}})
		list(APPEND fixtures server_${server})
	endif()
	if(test_SCRIPT OR test_SERVER)
		list(APPEND fixtures python)
	endif()
	set_tests_properties(${run} PROPERTIES LABELS "${label}" TIMEOUT ${test_TIMEOUT} SKIP_RETURN_CODE 77
		ENVIRONMENT "${environment}" FIXTURES_REQUIRED "${fixtures}")
	if(test_SERIAL)
		set_tests_properties(${run} PROPERTIES RUN_SERIAL TRUE)
	endif()
endmacro()
