# Generates the structs and descriptors of Temporal's API when configuring: a source of descriptors -> one
# FileDescriptorSet -> protoc-gen-c. Nothing of it is in the repository. The sources, in the order in which they are taken:
#   TEMPORAL_API_PROTOS  folders with .proto files: a checkout of the API (and of the test service beside it), or the
#                        unpacked crate temporalio-protos (0.10.2 was tried), which has both
#   TEMPORAL_API_WHEEL   a wheel of the Python package temporalio that is here already
#   else                 the pinned wheel, by pip, kept in $TEMPORAL_CACHE_DIR or in the build folder
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)

set(TEMPORAL_API_VERSION 1.35.0)
set(TEMPORAL_API_SHA256 45b5438f41ab154eda4eea40069df2fa8779cb8f5c27f266b917a700bfba8bb8)
set(TEMPORAL_GEN_DIR ${CMAKE_BINARY_DIR}/gen)
set(TEMPORAL_DESCRIPTORS ${CMAKE_CURRENT_LIST_DIR}/descriptors.py)

function(temporal_run)
	execute_process(COMMAND ${ARGV} RESULT_VARIABLE result ERROR_VARIABLE error OUTPUT_VARIABLE output)
	if(NOT result EQUAL 0)
		list(JOIN ARGV " " line)
		message(FATAL_ERROR "${line}:\n${error}${output}")
	endif()
endfunction()

# Is the file there, and what it has to be?
function(temporal_wheel_ok out wheel)
	set(digest "")
	if(EXISTS ${wheel})
		file(SHA256 ${wheel} digest)
	endif()
	if(digest STREQUAL TEMPORAL_API_SHA256)
		set(${out} TRUE PARENT_SCOPE)
	else()
		set(${out} FALSE PARENT_SCOPE)
	endif()
endfunction()

function(temporal_fetch_wheel out)
	set(cache ${CMAKE_BINARY_DIR}/wheel)
	if(DEFINED ENV{TEMPORAL_CACHE_DIR})
		set(cache $ENV{TEMPORAL_CACHE_DIR})
	endif()
	set(name temporalio-${TEMPORAL_API_VERSION}-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl)
	set(${out} ${cache}/${name} PARENT_SCOPE)
	temporal_wheel_ok(ok ${cache}/${name})
	if(ok)
		return()
	endif()
	message(STATUS "Downloading the API's descriptors: temporalio ${TEMPORAL_API_VERSION}")
	file(REMOVE ${cache}/${name})
	# The wheel is read, not installed: any machine takes the same one.
	execute_process(COMMAND ${Python3_EXECUTABLE} -m pip download --quiet --disable-pip-version-check --no-deps
		--only-binary=:all: --python-version 3.11 --implementation cp --abi abi3
		--platform manylinux_2_17_x86_64 --dest ${cache} temporalio==${TEMPORAL_API_VERSION}
		RESULT_VARIABLE result ERROR_VARIABLE error OUTPUT_VARIABLE error)
	temporal_wheel_ok(ok ${cache}/${name})
	if(NOT result EQUAL 0)
		set(problem "cannot be downloaded by ${Python3_EXECUTABLE} -m pip:\n${error}")
	elseif(NOT ok)
		file(REMOVE ${cache}/${name})
		set(problem "was downloaded, but its SHA-256 is not ${TEMPORAL_API_SHA256}; it was removed.")
	else()
		return()
	endif()
	message(FATAL_ERROR "The package temporalio ${TEMPORAL_API_VERSION}, of which the API's descriptors are taken, ${problem}
Without a network, do one of these:
  put ${name} into a folder and name that by the environment variable TEMPORAL_CACHE_DIR;
  name another wheel of temporalio by -DTEMPORAL_API_WHEEL=FILE;
  name the API's .proto files by -DTEMPORAL_API_PROTOS=FOLDER (see cmake/TemporalProtocol.cmake).")
endfunction()

# The folders of TEMPORAL_API_PROTOS, those within a crate named one by one, and a digest of their files.
function(temporal_proto_folders out digest)
	set(folders "")
	set(all "")
	foreach(folder ${TEMPORAL_API_PROTOS})
		if(EXISTS ${folder}/protos/api_upstream)
			list(APPEND folders ${folder}/protos/api_upstream ${folder}/protos/testsrv_upstream)
		elseif(EXISTS ${folder}/temporal/api)
			list(APPEND folders ${folder})
		else()
			message(FATAL_ERROR "TEMPORAL_API_PROTOS: ${folder} has no temporal/api; expected a checkout of the API")
		endif()
	endforeach()
	foreach(folder ${folders})
		file(GLOB_RECURSE files ${folder}/temporal/*.proto)
		foreach(file ${files})
			file(SHA256 ${file} one)
			string(APPEND all ${one})
		endforeach()
	endforeach()
	string(SHA256 all "${all}")
	set(${out} ${folders} PARENT_SCOPE)
	set(${digest} ${all} PARENT_SCOPE)
endfunction()

# A descriptor set of all .proto files in the folders.
function(temporal_compile_protos out)
	set(includes "")
	set(files "")
	foreach(folder ${ARGN})
		list(APPEND includes -I${folder})
		file(GLOB_RECURSE more RELATIVE ${folder} ${folder}/temporal/*.proto)
		list(APPEND files ${more})
	endforeach()
	temporal_run(${PROTOC} ${includes} --include_imports --experimental_allow_proto3_optional -o${out} ${files})
endfunction()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${TEMPORAL_DESCRIPTORS})
set(proto_digest "")
if(TEMPORAL_API_PROTOS)
	temporal_proto_folders(proto_folders proto_digest)
elseif(TEMPORAL_API_WHEEL)
	if(NOT EXISTS ${TEMPORAL_API_WHEEL})
		message(FATAL_ERROR "TEMPORAL_API_WHEEL: there is no ${TEMPORAL_API_WHEEL}")
	endif()
	file(SHA256 ${TEMPORAL_API_WHEEL} proto_digest)
endif()

# The stamp holds all that the generated files come from; they are made again only when that has changed.
set(stamp ${TEMPORAL_GEN_DIR}/stamp)
file(SHA256 ${TEMPORAL_DESCRIPTORS} wanted)
file(SHA256 ${CMAKE_CURRENT_LIST_FILE} this_file)
file(SHA256 ${PROTOC_GEN_C} generator)
string(APPEND wanted " ${this_file} ${generator} ${proto_digest}")
set(have "")
if(EXISTS ${stamp})
	file(READ ${stamp} have)
endif()
if(NOT have STREQUAL wanted)
	file(REMOVE_RECURSE ${TEMPORAL_GEN_DIR})
	file(MAKE_DIRECTORY ${TEMPORAL_GEN_DIR})
	# protoc knows where its own google/protobuf/*.proto are.
	temporal_run(${PROTOC} -o${TEMPORAL_GEN_DIR}/well_known.fds --include_imports
		google/protobuf/any.proto google/protobuf/duration.proto google/protobuf/empty.proto
		google/protobuf/field_mask.proto google/protobuf/struct.proto google/protobuf/timestamp.proto
		google/protobuf/wrappers.proto google/protobuf/descriptor.proto)
	if(TEMPORAL_API_PROTOS)
		temporal_compile_protos(${TEMPORAL_GEN_DIR}/source.fds ${proto_folders})
		set(source --set ${TEMPORAL_GEN_DIR}/source.fds)
	elseif(TEMPORAL_API_WHEEL)
		set(source --wheel ${TEMPORAL_API_WHEEL})
	else()
		temporal_fetch_wheel(wheel)
		set(source --wheel ${wheel} --sha256 ${TEMPORAL_API_SHA256})
	endif()
	temporal_run(${Python3_EXECUTABLE} ${TEMPORAL_DESCRIPTORS} ${source}
		--well-known ${TEMPORAL_GEN_DIR}/well_known.fds
		--out ${TEMPORAL_GEN_DIR}/api.fds --list ${TEMPORAL_GEN_DIR}/api.list)
	file(STRINGS ${TEMPORAL_GEN_DIR}/api.list files)
	temporal_run(${PROTOC} --descriptor_set_in=${TEMPORAL_GEN_DIR}/api.fds
		--plugin=protoc-gen-c=${PROTOC_GEN_C} --c_out=${TEMPORAL_GEN_DIR} ${files})
	file(WRITE ${stamp} "${wanted}")
endif()

file(GLOB_RECURSE generated ${TEMPORAL_GEN_DIR}/*.pb-c.c)
add_library(temporal_gen OBJECT ${generated})
target_include_directories(temporal_gen SYSTEM PUBLIC ${TEMPORAL_GEN_DIR})
target_link_libraries(temporal_gen PUBLIC PkgConfig::PROTOBUF_C)
# A section a table, so that a program has the tables of those messages alone that it uses.
# The API keeps deprecated fields, and the initializers name them.
target_compile_definitions(temporal_gen PUBLIC PROTOBUF_C__NO_DEPRECATED)
target_compile_options(temporal_gen PRIVATE -w -ffunction-sections -fdata-sections)
