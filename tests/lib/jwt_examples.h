/* jwt_examples.h - keys and tokens for tests: those of RFC 7515 (A.2, A.3), which name no audience,
 * and two made with openssl for https://mcp.example.org/mcp, valid until 2033. */
#ifndef JWT_EXAMPLES_H
#define JWT_EXAMPLES_H

static const char example_keys[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-"
    "256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
    "tue659LNpXW6pCyStikYjKIWI5a0\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
    "\"1EaGVyy7rD5eqaVYLexMl_odokI40wXqM2J4tEoXEh4\",\"kid\":\"key-Ed25519\",\"use\":\"sig\"},{"
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"wMGjI1KoTP6T9oe3b85ePXx-pcajQGw3qaGWcVHwggA\",\"y\":"
    "\"DqcuhN0fVMWTvSvN4aiTh81sPaH2wsHubvV_gl2nIRI\",\"kid\":\"key-P-256\",\"use\":\"sig\"}]}";

static const char
    example_rfc7515_rs256[] = "eyJhbGciOiJSUzI1NiJ9."
                              "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
                              "LmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
                              "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
                              "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
                              "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
                              "eSN9383LcOLn6_dO--xi12jzDwusC-"
                              "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98r"
                              "qVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

static const char example_rfc7515_es256[] = "eyJhbGciOiJFUzI1NiJ9."
                                            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dH"
                                            "A6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
                                            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
                                            "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
                                            "Kg6NU1Q";

static const char
    example_eddsa[] = "eyJhbGciOiAiRWREU0EiLCAidHlwIjogImF0K2p3dCIsICJraWQiOiAia2V5LUVkMjU1MTkifQ."
                      "eyJpc3MiOiAiaHR0cHM6Ly9sb2dpbi5leGFtcGxlLm9yZyIsICJhdWQiOiAiaHR0cHM6Ly9tY3Au"
                      "ZXhhbXBsZS5vcmcvbWNwIiwgInN1YiI6ICJhbGljZSIsICJleHAiOiAyMDAwMDAwMDAwLCAidGVu"
                      "YW50IjogInQxIiwgInNjb3BlIjogImd1YXJkZWQ6cmVhZCJ9.IL0QZwZCewPnXrD-"
                      "V0FIxhVeV7MKT5lUMbfbRyfH3gNYbSr58gr-D7O8l7ZBVxr0ZLQKnt4Ovj-vkHGqKgUGDQ";

static const char example_es256[] = "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImF0K2p3dCIsICJraWQiOiAia2V5LV"
                                    "AtMjU2In0."
                                    "eyJpc3MiOiAiaHR0cHM6Ly9sb2dpbi5leGFtcGxlLm9yZyIsICJhdWQiOiAiaH"
                                    "R0cHM6Ly9tY3AuZXhhbXBsZS5vcmcvbWNwIiwgInN1YiI6ICJhbGljZSIsICJl"
                                    "eHAiOiAyMDAwMDAwMDAwLCAidGVuYW50IjogInQxIiwgInNjb3BlIjogImd1YX"
                                    "JkZWQ6cmVhZCJ9."
                                    "A4ObVUn6Ns3kC0ZNUWTj2cHEnRdORTRSy7CcahTX7IztzFLHQnzyVaN6cMCyrB"
                                    "8KT9BxttKo7Hy2NroVMC97nA";

#endif
