include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/sqlitedb/sqlitedb.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/migrations/migrations.cmake)
