# libtemporal, shared and static, and how programs of ours link it.
#   temporal::shared    libtemporal.so.0: hidden visibility, the symbols of src/libtemporal.map
#   temporal::static    libtemporal.a: one relocatable object whose hidden names are made local, so that no internal
#                       name can collide with one of the user's
#   temporal::program   for our own programs: the static library, and of it and of the libraries below it only what
#                       is used, at fixed addresses: a small process
set(objects $<TARGET_OBJECTS:temporal_objects> $<TARGET_OBJECTS:temporal_gen>)
set(map ${PROJECT_SOURCE_DIR}/src/libtemporal.map)

add_library(temporal SHARED ${objects})
add_library(temporal::shared ALIAS temporal)
set_target_properties(temporal PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME shared
	LINKER_LANGUAGE C LINK_DEPENDS ${map} LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(temporal PRIVATE ${TEMPORAL_REQUIRES} m)
target_link_options(temporal PRIVATE -Wl,--version-script=${map} -Wl,--as-needed -Wl,--gc-sections)

# The sanitizers' run-time data refers to symbols of each object, so their builds keep a plain archive.
if(TEMPORAL_SANITIZE)
	add_library(temporal_static STATIC ${objects})
else()
	set(merged ${CMAKE_CURRENT_BINARY_DIR}/libtemporal.o)
	add_custom_command(OUTPUT ${merged}
		COMMAND ${CMAKE_LINKER} -r -o ${merged} --whole-archive $<TARGET_FILE:temporal_internal>
		COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${merged}
		DEPENDS temporal_internal VERBATIM COMMENT "Joining the objects of libtemporal.a")
	set_source_files_properties(${merged} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
	add_library(temporal_static STATIC ${merged})
endif()
add_library(temporal::static ALIAS temporal_static)
set_target_properties(temporal_static PROPERTIES OUTPUT_NAME temporal EXPORT_NAME static LINKER_LANGUAGE C
	ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(temporal_static INTERFACE ${TEMPORAL_REQUIRES} m)
foreach(library temporal temporal_static)
	target_include_directories(${library} INTERFACE
		$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
	# A missing sentinel is a format warning to gcc, and has a name of its own in clang.
	target_compile_options(${library} INTERFACE -Werror=unused-result -Werror=format
		$<$<COMPILE_LANG_AND_ID:C,Clang>:-Werror=sentinel>)
endforeach()

# The archives of the libraries below, where the system has them; else the shared ones.
function(temporal_archives out)
	set(archives "")
	foreach(name protobuf-c nghttp2 uv_a ssl crypto jansson z)
		find_library(TEMPORAL_ARCHIVE_${name} NAMES lib${name}.a)
		mark_as_advanced(TEMPORAL_ARCHIVE_${name})
		list(APPEND archives ${TEMPORAL_ARCHIVE_${name}})
	endforeach()
	if(archives MATCHES NOTFOUND OR TEMPORAL_SANITIZE)
		set(archives ${TEMPORAL_REQUIRES})
	endif()
	set(${out} $<TARGET_FILE:temporal_static> ${archives} Threads::Threads m ${CMAKE_DL_LIBS} PARENT_SCOPE)
endfunction()

temporal_archives(archives)
add_library(temporal_program INTERFACE)
add_library(temporal::program ALIAS temporal_program)
add_dependencies(temporal_program temporal_static)
target_include_directories(temporal_program INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(temporal_program INTERFACE temporal_flags ${archives})
if(NOT TEMPORAL_SANITIZE)
	target_compile_options(temporal_program INTERFACE -fno-pie)
	target_link_options(temporal_program INTERFACE -no-pie -Wl,--gc-sections -Wl,--as-needed)
endif()

include(CMakePackageConfigHelpers)
install(TARGETS temporal temporal_static EXPORT temporal
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/temporal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN *.h PATTERN server.h EXCLUDE) # its library is not installed yet
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
	DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/temporal)
install(EXPORT temporal NAMESPACE temporal:: FILE temporal-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/temporal-config.cmake.in
	${CMAKE_CURRENT_BINARY_DIR}/temporal-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/temporal-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/temporal-config.cmake
	${CMAKE_CURRENT_BINARY_DIR}/temporal-config-version.cmake DESTINATION ${package_dir})

# The prefix is that of the installation, which may be told only when it is made: relative to the file itself.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
	OUTPUT_VARIABLE TEMPORAL_PC_PREFIX)
configure_file(${PROJECT_SOURCE_DIR}/cmake/temporal.pc.in ${CMAKE_CURRENT_BINARY_DIR}/temporal.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/temporal.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
