# The installed tree, staged with DESTDIR, moved and used.
if(TARGET backplane)
  bp_add_python_test(integration.install ${CMAKE_CURRENT_LIST_DIR}/install.py
                     ARGS ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR} ${CMAKE_INSTALL_LIBDIR} ${CMAKE_INSTALL_INCLUDEDIR})
endif()
