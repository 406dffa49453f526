/* executable.c - a program where a shared object is wanted. */
int main(void)
{
    return 0;
}
