pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET GLOBAL hiredis)
target_sources(fuzz_redis_reply PRIVATE ${CMAKE_SOURCE_DIR}/plugins/shared/clients/redis/reply.c)
target_include_directories(fuzz_redis_reply PRIVATE ${CMAKE_SOURCE_DIR}/plugins/shared/clients ${CMAKE_SOURCE_DIR}/sdk/include)
target_link_libraries(fuzz_redis_reply PRIVATE PkgConfig::HIREDIS)
