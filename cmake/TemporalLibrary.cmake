# libtemporal and libtemporal-server, each shared and static, and how programs of ours link them.
#   temporal::shared          libtemporal.so.0: the API under TEMPORAL_1, and under TEMPORAL_PRIVATE_<version> what
#                             libtemporal-server of the same version uses beside it
#   temporal::static          libtemporal.a: one relocatable object whose own names are made local, so that none can
#                             collide with one of the user's
#   temporal::server_shared   libtemporal-server.so.0, above temporal::shared
#   temporal::server_static   libtemporal-server.a, above temporal::static
#   temporal::program         for our own programs: the static library, and of it and of the libraries below it only
#                             what is used, at fixed addresses: a small process
#   temporal::server_program  the same with the server in it
#
# What the two libraries share is found by what the server's objects ask for (private_names.py), and gets the prefix
# temporal_private_ in both: then a user's program may have a function error_set, and nothing is confused.
set(map ${CMAKE_CURRENT_BINARY_DIR}/libtemporal.map)
configure_file(${PROJECT_SOURCE_DIR}/src/libtemporal.map.in ${map} @ONLY)
set(server_map ${PROJECT_SOURCE_DIR}/src/libtemporal-server.map)

# The sanitizers' run-time data refers to symbols of each object, so their builds keep plain archives, and no shared
# library of the server.
if(TEMPORAL_SANITIZE)
	set(objects $<TARGET_OBJECTS:temporal_objects> $<TARGET_OBJECTS:temporal_gen>)
	set(server_objects $<TARGET_OBJECTS:temporal_server_objects>)
else()
	set(private_names ${CMAKE_CURRENT_BINARY_DIR}/private_names)
	add_custom_command(OUTPUT ${private_names}
		COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/private_names.py ${CMAKE_NM}
			$<TARGET_FILE:temporal_server_internal> $<TARGET_FILE:temporal_internal> > ${private_names}
		DEPENDS temporal_server_internal temporal_internal ${PROJECT_SOURCE_DIR}/cmake/private_names.py
		VERBATIM COMMENT "Listing what libtemporal-server uses of libtemporal")

	# All of an archive's objects as one, with these names kept and all other ones local.
	function(temporal_merge out archive)
		list(TRANSFORM ARGN PREPEND --keep-global-symbol= OUTPUT_VARIABLE keep)
		add_custom_command(OUTPUT ${out}
			COMMAND ${CMAKE_LINKER} -r -o ${out} --whole-archive $<TARGET_FILE:${archive}>
			COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${private_names} ${out}
			COMMAND ${CMAKE_OBJCOPY} --wildcard ${keep} ${out}
			DEPENDS ${archive} ${private_names} VERBATIM COMMENT "Joining the objects of ${archive}")
		set_source_files_properties(${out} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
	endfunction()

	set(objects ${CMAKE_CURRENT_BINARY_DIR}/libtemporal.o)
	set(server_objects ${CMAKE_CURRENT_BINARY_DIR}/libtemporal-server.o)
	temporal_merge(${objects} temporal_internal temporal_* wf_* act_* nexus_[a-z]*)
	temporal_merge(${server_objects} temporal_server_internal temporal_server_*)
	add_custom_target(temporal_merged DEPENDS ${objects} ${server_objects})
endif()

add_library(temporal SHARED ${objects})
add_library(temporal_static STATIC ${objects})
target_link_libraries(temporal PRIVATE ${TEMPORAL_REQUIRES} m)
target_link_libraries(temporal_static INTERFACE ${TEMPORAL_REQUIRES} m)
target_link_options(temporal PRIVATE -Wl,--version-script=${map} -Wl,--as-needed -Wl,--gc-sections
	-Wl,-Bsymbolic-functions)
set_target_properties(temporal PROPERTIES LINK_DEPENDS ${map})

add_library(temporal_server_static STATIC ${server_objects})
target_link_libraries(temporal_server_static INTERFACE temporal_static PkgConfig::SQLITE PkgConfig::MICROHTTPD)
set(libraries temporal temporal_static temporal_server_static)
if(NOT TEMPORAL_SANITIZE)
	add_library(temporal_server SHARED ${server_objects})
	target_link_libraries(temporal_server PUBLIC temporal PRIVATE ${TEMPORAL_REQUIRES} PkgConfig::SQLITE PkgConfig::MICROHTTPD m)
	target_link_options(temporal_server PRIVATE -Wl,--version-script=${server_map} -Wl,--as-needed -Wl,--gc-sections
		-Wl,--no-undefined)
	set_target_properties(temporal_server PROPERTIES LINK_DEPENDS ${server_map})
	list(APPEND libraries temporal_server)
	foreach(library ${libraries})
		add_dependencies(${library} temporal_merged)
	endforeach()
endif()

foreach(library ${libraries})
	set(kind shared)
	set(name temporal)
	if(library MATCHES static)
		set(kind static)
	endif()
	if(library MATCHES server)
		set(kind server_${kind})
		set(name temporal-server)
	endif()
	add_library(temporal::${kind} ALIAS ${library})
	set_target_properties(${library} PROPERTIES OUTPUT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION 0
		EXPORT_NAME ${kind} LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
		ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endforeach()
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
foreach(program temporal_program temporal_server_program)
	add_library(${program} INTERFACE)
	target_include_directories(${program} INTERFACE ${PROJECT_SOURCE_DIR}/include)
	if(NOT TEMPORAL_SANITIZE)
		target_compile_options(${program} INTERFACE -fno-pie)
		target_link_options(${program} INTERFACE -no-pie -Wl,--gc-sections -Wl,--as-needed)
	endif()
endforeach()
add_library(temporal::program ALIAS temporal_program)
add_library(temporal::server_program ALIAS temporal_server_program)
add_dependencies(temporal_program temporal_static)
add_dependencies(temporal_server_program temporal_static temporal_server_static)
target_link_libraries(temporal_program INTERFACE temporal_flags ${archives})
target_link_libraries(temporal_server_program INTERFACE temporal_flags $<TARGET_FILE:temporal_server_static> ${archives}
	PkgConfig::SQLITE PkgConfig::MICROHTTPD)

include(CMakePackageConfigHelpers)
install(TARGETS ${libraries} EXPORT temporal
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/temporal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN *.h)
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
foreach(name temporal temporal-server)
	configure_file(${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
	install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
