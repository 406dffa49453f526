# An app of a third party with commands, for test_app_commands.py and test_app_uploads.py; once more as it was before apps had commands.
find_package(backplane-sdk REQUIRED PATHS ${BP_SDK_CMAKE} NO_DEFAULT_PATH)
foreach(release now before)
  bp_add_plugin(app_commands_${release} KIND app OUTPUT_NAME stranger SOURCES ${CMAKE_CURRENT_LIST_DIR}/app_commands.c)
  target_compile_definitions(app_commands_${release} PRIVATE STRANGER_IS_OLD=$<IF:$<STREQUAL:${release},before>,1,0>)
  set_target_properties(app_commands_${release} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                        ${CMAKE_CURRENT_BINARY_DIR}/app_commands/${release}/app)
endforeach()
