/* Does nothing: what no process for a task can be faster than. */
int main(void) { return 0; }
