# libtemporal-server, shared and static. Both bring their own copy of libtemporal's lower layers, and keep their names to
# themselves, so a program may link them beside libtemporal; what crosses between the two is struct rpc_transport and what
# hangs on it, of the same version alone.
set(server_map ${PROJECT_SOURCE_DIR}/src/libtemporal-server.map)
set(server_objects $<TARGET_OBJECTS:temporal_server_objects> $<TARGET_OBJECTS:temporal_objects>
	$<TARGET_OBJECTS:temporal_gen>)

add_library(temporal_server SHARED EXCLUDE_FROM_ALL ${server_objects})
set_target_properties(temporal_server PROPERTIES OUTPUT_NAME temporal-server VERSION ${PROJECT_VERSION} SOVERSION 0
	LINKER_LANGUAGE C LINK_DEPENDS ${server_map} LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(temporal_server PRIVATE ${TEMPORAL_REQUIRES} PkgConfig::SQLITE m)
target_link_options(temporal_server PRIVATE -Wl,--version-script=${server_map} -Wl,--as-needed -Wl,--gc-sections)

if(NOT TEMPORAL_SANITIZE)
	set(server_merged ${CMAKE_CURRENT_BINARY_DIR}/libtemporal-server.o)
	add_custom_command(OUTPUT ${server_merged}
		COMMAND ${CMAKE_LINKER} -r -o ${server_merged} --whole-archive
			$<TARGET_FILE:temporal_server_internal> $<TARGET_FILE:temporal_internal>
		COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=temporal_server_* ${server_merged}
		DEPENDS temporal_server_internal temporal_internal VERBATIM
		COMMENT "Joining the objects of libtemporal-server.a")
	set_source_files_properties(${server_merged} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
	add_library(temporal_server_static STATIC EXCLUDE_FROM_ALL ${server_merged})
	set_target_properties(temporal_server_static PROPERTIES OUTPUT_NAME temporal-server LINKER_LANGUAGE C
		ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
	target_link_libraries(temporal_server_static INTERFACE ${TEMPORAL_REQUIRES} PkgConfig::SQLITE m)
endif()
