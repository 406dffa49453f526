include(${CMAKE_CURRENT_LIST_DIR}/../../shared/sqlitedb/sqlitedb.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/migrations/migrations.cmake)
