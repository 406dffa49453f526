# Releases of one app, each a folder of plugins of its own, for test_rolling_upgrade.py.
find_package(backplane-sdk REQUIRED PATHS ${BP_SDK_CMAKE} NO_DEFAULT_PATH)
foreach(release 1 2 3 4 2_breaks)
  string(REGEX MATCH "^[0-9]" number ${release})
  string(REGEX MATCH "breaks" breaks "${release}")
  bp_add_plugin(rolling_${release} KIND app OUTPUT_NAME rolling SOURCES ${CMAKE_CURRENT_LIST_DIR}/rolling.c)
  target_compile_definitions(rolling_${release} PRIVATE ROLLING_RELEASE=${number} ROLLING_BREAKS=$<IF:$<BOOL:${breaks}>,1,0>)
  set_target_properties(rolling_${release} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/rolling/${release}/app)
endforeach()
