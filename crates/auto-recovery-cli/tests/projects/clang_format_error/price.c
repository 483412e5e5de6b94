int price( int pieces ){return pieces*3;}
