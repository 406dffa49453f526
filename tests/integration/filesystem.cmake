# A program with which scripts call the tools of the app filesystem, without a server.
add_executable(filesystem_driver ${CMAKE_CURRENT_LIST_DIR}/filesystem_driver.c)
target_compile_definitions(filesystem_driver PRIVATE _GNU_SOURCE)
target_link_libraries(filesystem_driver PRIVATE backplane_testhost)
add_dependencies(filesystem_driver plugin_app_filesystem)
