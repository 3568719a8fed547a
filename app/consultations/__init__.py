"""Time, and who gets it: clinicians, locations, slots, bookings.

A booking's life (the guards of the schema refuse every other step):

    (new) ---> held ---> booked ---> fulfilled
      |         |  |       |  |
      |         |  |       |  +----> no_show
      |         |  |       +-------> cancelled
      |         |  +---------------> cancelled
      |         +------------------> expired
      +----------------> booked

A slot's life:  open <---> closed,  open | closed ---> cancelled.
"""
